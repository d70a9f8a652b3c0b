//! Fits gradient boosted trees with `forust-ml` and turns them into our flat ones.
//!
//! The library refuses columns without variance and knows no categories; both are dealt with before
//! it is called. It draws random numbers only for sampling, which is not used, so a fit is a function
//! of its input alone, also on several threads.

use forust_ml::metric::Metric;
use forust_ml::tree::Tree;
use forust_ml::{GradientBooster, Matrix};

use crate::ensemble::{Ensemble, Node};
use crate::{Error, TrainSettings};

/// Below this, starting threads costs more than they save.
const PARALLEL_ROWS: usize = 20_000;

/// Encoded columns with their labels.
pub(crate) struct TrainingData {
    /// One vector per feature, aligned with `labels`.
    pub columns: Vec<Vec<f64>>,
    /// The label of each row.
    pub labels: Vec<bool>,
}

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
    /// When the log loss on other rows has stopped falling.
    Until(&'a TrainingData),
}

/// Fits trees of at most `depth` levels of splits. Without a varying feature or without both classes
/// the result has no trees and scores every row with the share of positives.
pub(crate) fn fit(
    data: &TrainingData,
    depth: usize,
    rounds: &Rounds,
    settings: &TrainSettings,
) -> Result<Fit, Error> {
    let rows = data.labels.len();
    let n_features = data.columns.len();
    let positives = data.labels.iter().filter(|&&label| label).count();
    let inputs: Vec<Input> = (0..n_features).filter_map(|i| Input::of(i, &data.columns[i])).collect();
    if inputs.is_empty() || positives == 0 || positives == rows {
        // Half a row more of each class keeps the log-odds finite.
        let odds = (positives as f64 + 0.5) / ((rows - positives) as f64 + 0.5);
        let ensemble = Ensemble {
            base_score: odds.ln(),
            n_features: n_features as u32,
            roots: Vec::new(),
            nodes: Vec::new(),
        };
        return Ok(Fit { ensemble, gain: vec![0.0; n_features], splits: vec![0; n_features] });
    }

    let (values, labels, weights) = flatten(data, &inputs);
    let matrix = Matrix::new(&values, rows, inputs.len());
    let mut booster = booster(depth, rows, rounds, settings);
    let fitted = match rounds {
        Rounds::Exactly(_) => booster.fit(&matrix, &labels, &weights, None),
        Rounds::Until(evaluation) => {
            let (values, eval_labels, eval_weights) = flatten(evaluation, &inputs);
            let eval_matrix = Matrix::new(&values, evaluation.labels.len(), inputs.len());
            booster.fit(&matrix, &labels, &weights, Some(vec![(eval_matrix, &eval_labels, &eval_weights)]))
        }
    };
    fitted.map_err(|error| Error::Boosting(error.to_string()))?;

    let kept = booster.prediction_iteration.unwrap_or(booster.trees.len()).min(booster.trees.len());
    let mut fit = convert(&booster.trees[..kept], booster.base_score, n_features, &inputs);
    keep_missing_apart(&mut fit.ensemble, data);
    Ok(fit)
}

fn booster(depth: usize, rows: usize, rounds: &Rounds, settings: &TrainSettings) -> GradientBooster {
    let booster = GradientBooster::default()
        .set_learning_rate(settings.learning_rate as f32)
        .set_max_depth(depth)
        .set_l2(settings.l2 as f32)
        .set_min_leaf_weight(settings.min_leaf_weight as f32)
        .set_nbins(settings.max_bins)
        .set_initialize_base_score(true)
        .set_create_missing_branch(false)
        .set_parallel(rows >= PARALLEL_ROWS);
    match rounds {
        Rounds::Exactly(rounds) => booster.set_iterations(*rounds),
        Rounds::Until(_) => booster
            .set_iterations(settings.max_rounds)
            .set_evaluation_metric(Some(Metric::LogLoss))
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
fn flatten(data: &TrainingData, inputs: &[Input]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let column =
        |input: &Input| data.columns[input.feature].iter().map(|&value| input.value(value)).collect();
    let values = inputs.iter().flat_map::<Vec<f64>, _>(column).collect();
    let labels = data.labels.iter().map(|&label| f64::from(u8::from(label))).collect();
    (values, labels, vec![1.0; data.labels.len()])
}

/// Makes splits that part only missing from present values say so.
///
/// The library writes such a split as "below the least value this node has seen": a lower value,
/// which training did not have there, would be taken for a missing one. The threshold is moved to the
/// infinity that keeps all values on the side of the present ones. Training rows are not affected.
fn keep_missing_apart(ensemble: &mut Ensemble, data: &TrainingData) {
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
    fn data(rows: usize) -> TrainingData {
        let value = |i: usize, step: usize| (i * step % 1009) as f64 / 1009.0;
        let holes = |column: Vec<f64>, every: usize| -> Vec<f64> {
            column.into_iter().enumerate().map(|(i, v)| if i % every == 0 { f64::NAN } else { v }).collect()
        };
        let column = |step| (0..rows).map(|i| value(i, step)).collect::<Vec<f64>>();
        let columns = vec![holes(column(37), 3), column(101), holes(column(571), 7)];
        let labels = (0..rows)
            .map(|i| {
                let present = |c: usize| if columns[c][i].is_nan() { 0.8 } else { columns[c][i] };
                present(0) * present(1) + 0.3 * present(2) > 0.2 + 0.5 * value(i, 797)
            })
            .collect();
        TrainingData { columns, labels }
    }

    #[test]
    fn flat_trees_score_as_the_library_does() {
        let (data, settings) = (data(2000), TrainSettings::default());
        let rounds = Rounds::Exactly(80);
        let fit = fit(&data, 4, &rounds, &settings).unwrap();
        let inputs: Vec<Input> = (0..3).filter_map(|i| Input::of(i, &data.columns[i])).collect();
        let (values, labels, weights) = flatten(&data, &inputs);
        let matrix = Matrix::new(&values, 2000, 3);
        let mut library = booster(4, 2000, &rounds, &settings);
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
        let data = TrainingData { columns: vec![column], labels: (0..600).map(|i| i % 3 == 0).collect() };
        let fit = fit(&data, 2, &Rounds::Exactly(50), &TrainSettings::default()).unwrap();
        let score = |value: f64| fit.ensemble.score(&[value]);
        assert!(score(f64::NAN) > 1.0);
        // The same where all present values are equal.
        let same = data.columns[0].iter().map(|v| if v.is_nan() { *v } else { 7.0 }).collect();
        let constant = TrainingData { columns: vec![same], labels: data.labels.clone() };
        let constant = super::fit(&constant, 2, &Rounds::Exactly(50), &TrainSettings::default()).unwrap();
        for value in [-1e300, 0.0, 7.0, 1e300] {
            assert!(constant.ensemble.score(&[value]) < -1.0 && constant.ensemble.score(&[f64::NAN]) > 1.0);
        }
        for value in [-1e300, -1.0, 1.0, 300.0, 599.0, 600.0, 1e300] {
            assert!(score(value) < -1.0, "{value}: {}", score(value));
        }
    }

    #[test]
    fn without_anything_to_learn_the_score_is_the_share_of_positives() {
        let score = |column: Vec<f64>, labels: Vec<bool>| {
            let fit = fit(
                &TrainingData { columns: vec![column], labels },
                2,
                &Rounds::Exactly(5),
                &TrainSettings::default(),
            );
            fit.unwrap().ensemble.score(&[1.0])
        };
        assert_eq!(score(vec![1.0; 4], vec![true, false, true, false]), 0.0);
        assert_eq!(score(vec![f64::NAN; 2], vec![true, false]), 0.0);
        assert_eq!(score(vec![1.0, 2.0], vec![true, true]), 5.0_f64.ln());
        assert_eq!(score(vec![], vec![]), 0.0);
    }
}
