//! Fits gradient boosted trees with `forust-ml` and turns them into our flat ones.
//!
//! The library refuses columns without variance and knows no categories; both are dealt with before
//! it is called. It draws random numbers only for sampling, which is not used, so a fit is a function
//! of its input alone, also on several threads.

use forust_ml::metric::Metric;
use forust_ml::objective::ObjectiveType;
use forust_ml::tree::Tree;
use forust_ml::{GradientBooster, Matrix};

use crate::ensemble::{Ensemble, Node};
use crate::{Error, Task, TrainSettings};

/// Below this, starting threads costs more than they save.
const PARALLEL_ROWS: usize = 20_000;

/// Encoded columns with what a booster learns of them.
#[derive(Clone, Copy)]
pub(crate) struct TrainingData<'a> {
    /// One vector per feature, aligned with `labels`.
    pub columns: &'a [Vec<f64>],
    /// The label of each row: 1 and 0 for true and false, or a number.
    pub labels: &'a [f64],
}

/// What the trees make small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// −ln of the probability of the label; scores are log-odds.
    Log,
    /// The squared error; scores are the number.
    Squared,
}

impl Loss {
    pub fn of(task: Task) -> Loss {
        match task {
            Task::Binary | Task::Multiclass => Loss::Log,
            Task::Regression => Loss::Squared,
        }
    }
}

/// How much more a row weighs in a leaf under the squared loss than under the log loss, at most: p(1−p) of a half is ¼.
const SQUARED_ROW_WEIGHT: f32 = 4.0;

/// Fitted trees and what each feature contributed.
pub(crate) struct Fit {
    pub ensemble: Ensemble,
    /// Loss reduction by splits on each feature.
    pub gain: Vec<f64>,
    /// Number of splits on each feature.
    pub splits: Vec<u64>,
}

/// When to stop adding trees.
pub(crate) enum Rounds<'a> {
    /// After this many.
    Exactly(usize),
    /// When the loss on other rows has stopped falling.
    Until(TrainingData<'a>),
}

/// Fits trees of at most `depth` levels of splits. Without a varying feature or without different labels the result has no
/// trees and scores every row alike: with the share of positives, or with the mean label.
pub(crate) fn fit(
    data: TrainingData,
    loss: Loss,
    depth: usize,
    rounds: &Rounds,
    settings: &TrainSettings,
) -> Result<Fit, Error> {
    let rows = data.labels.len();
    let n_features = data.columns.len();
    let inputs: Vec<Input> = (0..n_features).filter_map(|i| Input::of(i, &data.columns[i])).collect();
    let scale = Scale::of(data.labels, loss);
    if inputs.is_empty() || data.labels.iter().all(|label| *label == data.labels[0]) {
        let ensemble = Ensemble {
            base_score: constant_score(data.labels, loss),
            n_features: n_features as u32,
            roots: Vec::new(),
            nodes: Vec::new(),
        };
        return Ok(Fit { ensemble, gain: vec![0.0; n_features], splits: vec![0; n_features] });
    }

    let (values, labels, weights) = flatten(data, &inputs, scale);
    let matrix = Matrix::new(&values, rows, inputs.len());
    let mut booster = booster(depth, rows, loss, rounds, settings);
    let fitted = match rounds {
        Rounds::Exactly(_) => booster.fit(&matrix, &labels, &weights, None),
        Rounds::Until(evaluation) => {
            let (values, eval_labels, eval_weights) = flatten(*evaluation, &inputs, scale);
            let eval_matrix = Matrix::new(&values, evaluation.labels.len(), inputs.len());
            booster.fit(&matrix, &labels, &weights, Some(vec![(eval_matrix, &eval_labels, &eval_weights)]))
        }
    };
    fitted.map_err(|error| Error::Boosting(error.to_string()))?;

    let kept = booster.prediction_iteration.unwrap_or(booster.trees.len()).min(booster.trees.len());
    let mut fit = convert(&booster.trees[..kept], booster.base_score, n_features, &inputs);
    scale.undo(&mut fit.ensemble);
    keep_missing_apart(&mut fit.ensemble, data);
    Ok(fit)
}

/// The score of rows that nothing tells apart.
fn constant_score(labels: &[f64], loss: Loss) -> f64 {
    let (rows, sum) = (labels.len() as f64, labels.iter().sum::<f64>());
    match loss {
        // Half a row more of each class keeps the log-odds finite.
        Loss::Log => ((sum + 0.5) / ((rows - sum) + 0.5)).ln(),
        Loss::Squared => sum / rows,
    }
}

/// Numbers are learned as their distance from the mean in standard deviations: the library keeps gradients in 32 bits, and
/// the penalties of the settings mean the same in every unit.
#[derive(Clone, Copy)]
struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    fn of(labels: &[f64], loss: Loss) -> Scale {
        const NONE: Scale = Scale { mean: 0.0, deviation: 1.0 };
        if loss == Loss::Log {
            return NONE;
        }
        let rows = labels.len() as f64;
        let mean = labels.iter().map(|label| label / rows).sum::<f64>();
        let deviation = labels.iter().map(|label| (label - mean).powi(2) / rows).sum::<f64>().sqrt();
        if deviation > 0.0 { Scale { mean, deviation } } else { NONE }
    }

    fn apply(self, label: f64) -> f64 {
        (label - self.mean) / self.deviation
    }

    fn undo(self, ensemble: &mut Ensemble) {
        if self.deviation == 1.0 && self.mean == 0.0 {
            return;
        }
        ensemble.base_score = ensemble.base_score * self.deviation + self.mean;
        for node in &mut ensemble.nodes {
            if let Node::Leaf(value) = node {
                *value *= self.deviation;
            }
        }
    }
}

fn booster(
    depth: usize,
    rows: usize,
    loss: Loss,
    rounds: &Rounds,
    settings: &TrainSettings,
) -> GradientBooster {
    let (objective, metric, row_weight) = match loss {
        Loss::Log => (ObjectiveType::LogLoss, Metric::LogLoss, 1.0),
        Loss::Squared => (ObjectiveType::SquaredLoss, Metric::RootMeanSquaredError, SQUARED_ROW_WEIGHT),
    };
    let booster = GradientBooster::default()
        .set_objective_type(objective)
        .set_learning_rate(settings.learning_rate as f32)
        .set_max_depth(depth)
        .set_l2(settings.l2 as f32)
        .set_min_leaf_weight(settings.min_leaf_weight as f32 * row_weight)
        .set_nbins(settings.max_bins)
        .set_initialize_base_score(true)
        .set_create_missing_branch(false)
        .set_parallel(rows >= PARALLEL_ROWS);
    match rounds {
        Rounds::Exactly(rounds) => booster.set_iterations(*rounds),
        Rounds::Until(_) => booster
            .set_iterations(settings.max_rounds)
            .set_evaluation_metric(Some(metric))
            .set_early_stopping_rounds(Some(settings.early_stopping_rounds)),
    }
}

/// A column as the library gets it.
struct Input {
    /// The feature of the column.
    feature: usize,
    /// True if a value is replaced by 0 and a missing one by 1: the library refuses a column whose
    /// values are all the same, even when it is telling that some are missing.
    only_missingness: bool,
    /// True if training rows lack a value.
    has_missing: bool,
}

impl Input {
    /// None for a column that is the same in all rows.
    fn of(feature: usize, column: &[f64]) -> Option<Input> {
        let mut present = column.iter().filter(|value| !value.is_nan());
        let first = present.next()?;
        let varies = present.any(|value| value != first);
        let has_missing = column.iter().any(|value| value.is_nan());
        (varies || has_missing).then_some(Input { feature, only_missingness: !varies, has_missing })
    }

    fn value(&self, value: f64) -> f64 {
        if self.only_missingness { f64::from(u8::from(value.is_nan())) } else { value }
    }
}

/// Tells whether a column differs between any two rows, be it by lacking a value.
pub(crate) fn is_informative(column: &[f64]) -> bool {
    Input::of(0, column).is_some()
}

/// The inputs one after another, and labels and weights as the library takes them.
fn flatten(data: TrainingData, inputs: &[Input], scale: Scale) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let column =
        |input: &Input| data.columns[input.feature].iter().map(|&value| input.value(value)).collect();
    let values = inputs.iter().flat_map::<Vec<f64>, _>(column).collect();
    let labels = data.labels.iter().map(|&label| scale.apply(label)).collect();
    (values, labels, vec![1.0; data.labels.len()])
}

/// Makes splits that part only missing from present values say so.
///
/// The library writes such a split as "below the least value this node has seen": a lower value,
/// which training did not have there, would be taken for a missing one. The threshold is moved to the
/// infinity that keeps all values on the side of the present ones. Training rows are not affected.
fn keep_missing_apart(ensemble: &mut Ensemble, data: TrainingData) {
    // Whether a present value went left and right.
    let mut seen = vec![[false; 2]; ensemble.nodes.len()];
    for row in 0..data.labels.len() {
        for &root in &ensemble.roots {
            let mut at = root as usize;
            while let Node::Split { feature, threshold, left, missing_left } = ensemble.nodes[at] {
                let value = data.columns[feature as usize][row];
                let go_left = value < threshold || (missing_left && value.is_nan());
                seen[at][usize::from(!go_left)] |= !value.is_nan();
                at = left as usize + usize::from(!go_left);
            }
        }
    }
    for (node, seen) in ensemble.nodes.iter_mut().zip(seen) {
        if let Node::Split { threshold, .. } = node {
            match seen {
                [false, true] => *threshold = f64::NEG_INFINITY,
                [true, false] => *threshold = f64::INFINITY,
                _ => {}
            }
        }
    }
}

/// The library's trees as flat ones. Where a feature was never missing in training, nothing was
/// learned of its missing values; they follow the side with more training rows.
fn convert(trees: &[Tree], base_score: f64, n_features: usize, inputs: &[Input]) -> Fit {
    let mut fit = Fit {
        ensemble: Ensemble {
            base_score,
            n_features: n_features as u32,
            roots: Vec::new(),
            nodes: Vec::new(),
        },
        gain: vec![0.0; n_features],
        splits: vec![0; n_features],
    };
    for tree in trees {
        let nodes = &mut fit.ensemble.nodes;
        fit.ensemble.roots.push(nodes.len() as u32);
        nodes.push(Node::Leaf(0.0));
        // (node of the library's tree, its place in ours)
        let mut open = vec![(0, nodes.len() - 1)];
        while let Some((from, to)) = open.pop() {
            let node = &tree.nodes[from];
            if node.is_leaf {
                nodes[to] = Node::Leaf(f64::from(node.weight_value));
                continue;
            }
            let input = &inputs[node.split_feature];
            fit.gain[input.feature] += f64::from(node.split_gain);
            fit.splits[input.feature] += 1;
            let left = nodes.len();
            let missing_left = if input.has_missing {
                node.missing_node == node.left_child
            } else {
                tree.nodes[node.left_child].hessian_sum > tree.nodes[node.right_child].hessian_sum
            };
            let feature = input.feature as u32;
            nodes[to] = if input.only_missingness {
                // Left are the zeros, which stand for present values.
                Node::Split { feature, threshold: f64::INFINITY, left: left as u32, missing_left: false }
            } else {
                Node::Split { feature, threshold: node.split_value, left: left as u32, missing_left }
            };
            nodes.extend([Node::Leaf(0.0); 2]);
            open.extend([(node.left_child, left), (node.right_child, left + 1)]);
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns with missing values and one without, and a label that depends on all three.
    fn data(rows: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let value = |i: usize, step: usize| (i * step % 1009) as f64 / 1009.0;
        let holes = |column: Vec<f64>, every: usize| -> Vec<f64> {
            column.into_iter().enumerate().map(|(i, v)| if i % every == 0 { f64::NAN } else { v }).collect()
        };
        let column = |step| (0..rows).map(|i| value(i, step)).collect::<Vec<f64>>();
        let columns = vec![holes(column(37), 3), column(101), holes(column(571), 7)];
        let labels = (0..rows)
            .map(|i| {
                let present = |c: usize| if columns[c][i].is_nan() { 0.8 } else { columns[c][i] };
                let is_positive = present(0) * present(1) + 0.3 * present(2) > 0.2 + 0.5 * value(i, 797);
                f64::from(u8::from(is_positive))
            })
            .collect();
        (columns, labels)
    }

    #[test]
    fn flat_trees_score_as_the_library_does() {
        let ((columns, labels), settings) = (data(2000), TrainSettings::default());
        let data = TrainingData { columns: &columns, labels: &labels };
        let rounds = Rounds::Exactly(80);
        let fit = fit(data, Loss::Log, 4, &rounds, &settings).unwrap();
        let inputs: Vec<Input> = (0..3).filter_map(|i| Input::of(i, &data.columns[i])).collect();
        let (values, labels, weights) = flatten(data, &inputs, Scale::of(data.labels, Loss::Log));
        let matrix = Matrix::new(&values, 2000, 3);
        let mut library = booster(4, 2000, Loss::Log, &rounds, &settings);
        library.fit(&matrix, &labels, &weights, None).unwrap();
        for (i, expected) in library.predict(&matrix, false).into_iter().enumerate() {
            let row: Vec<f64> = data.columns.iter().map(|column| column[i]).collect();
            assert_eq!(fit.ensemble.score(&row), expected, "row {i}");
        }
        assert_eq!(fit.ensemble.check(), Ok(()));
    }

    #[test]
    fn a_new_low_or_high_is_not_taken_for_missing() {
        // Present values say nothing; only missing ones are positive.
        let column: Vec<f64> = (0..600).map(|i| if i % 3 == 0 { f64::NAN } else { f64::from(i) }).collect();
        let labels: Vec<f64> = (0..600).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let columns = [column];
        let data = TrainingData { columns: &columns, labels: &labels };
        let fit = fit(data, Loss::Log, 2, &Rounds::Exactly(50), &TrainSettings::default()).unwrap();
        let score = |value: f64| fit.ensemble.score(&[value]);
        assert!(score(f64::NAN) > 1.0);
        // The same where all present values are equal.
        let same = data.columns[0].iter().map(|v| if v.is_nan() { *v } else { 7.0 }).collect();
        let constant = TrainingData { columns: &[same], labels: &labels };
        let constant =
            super::fit(constant, Loss::Log, 2, &Rounds::Exactly(50), &TrainSettings::default()).unwrap();
        for value in [-1e300, 0.0, 7.0, 1e300] {
            assert!(constant.ensemble.score(&[value]) < -1.0 && constant.ensemble.score(&[f64::NAN]) > 1.0);
        }
        for value in [-1e300, -1.0, 1.0, 300.0, 599.0, 600.0, 1e300] {
            assert!(score(value) < -1.0, "{value}: {}", score(value));
        }
    }

    #[test]
    fn without_anything_to_learn_the_score_is_the_share_of_positives_or_the_mean() {
        let score = |loss: Loss, column: Vec<f64>, labels: &[f64]| {
            let data = TrainingData { columns: &[column], labels };
            let fit = fit(data, loss, 2, &Rounds::Exactly(5), &TrainSettings::default());
            fit.unwrap().ensemble.score(&[1.0])
        };
        assert_eq!(score(Loss::Log, vec![1.0; 4], &[1.0, 0.0, 1.0, 0.0]), 0.0);
        assert_eq!(score(Loss::Log, vec![f64::NAN; 2], &[1.0, 0.0]), 0.0);
        assert_eq!(score(Loss::Log, vec![1.0, 2.0], &[1.0, 1.0]), 5.0_f64.ln());
        assert_eq!(score(Loss::Log, vec![], &[]), 0.0);
        assert_eq!(score(Loss::Squared, vec![1.0; 3], &[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(score(Loss::Squared, vec![1.0, 2.0], &[7.5, 7.5]), 7.5);
    }
}
