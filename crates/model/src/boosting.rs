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
    let varying: Vec<usize> = (0..n_features).filter(|&i| varies(&data.columns[i])).collect();
    if varying.is_empty() || positives == 0 || positives == rows {
        // The rate is pulled in by half a row a class, so that its log-odds are finite.
        let rate = (positives as f64 + 0.5) / (rows as f64 + 1.0);
        let ensemble = Ensemble {
            base_score: (rate / (1.0 - rate)).ln(),
            n_features: n_features as u32,
            roots: Vec::new(),
            nodes: Vec::new(),
        };
        return Ok(Fit { ensemble, gain: vec![0.0; n_features], splits: vec![0; n_features] });
    }

    let (values, labels, weights) = flatten(data, &varying);
    let matrix = Matrix::new(&values, rows, varying.len());
    let mut booster = booster(depth, rows, rounds, settings);
    let fitted = match rounds {
        Rounds::Exactly(_) => booster.fit(&matrix, &labels, &weights, None),
        Rounds::Until(evaluation) => {
            let (values, eval_labels, eval_weights) = flatten(evaluation, &varying);
            let eval_matrix = Matrix::new(&values, evaluation.labels.len(), varying.len());
            booster.fit(&matrix, &labels, &weights, Some(vec![(eval_matrix, &eval_labels, &eval_weights)]))
        }
    };
    fitted.map_err(|error| Error::Boosting(error.to_string()))?;

    let kept = booster.prediction_iteration.unwrap_or(booster.trees.len()).min(booster.trees.len());
    let never_missing: Vec<bool> =
        varying.iter().map(|&i| data.columns[i].iter().all(|value| !value.is_nan())).collect();
    Ok(convert(&booster.trees[..kept], booster.base_score, n_features, &varying, &never_missing))
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

/// Whether a column has two different values besides missing ones.
pub(crate) fn varies(column: &[f64]) -> bool {
    let mut present = column.iter().filter(|value| !value.is_nan());
    present.next().is_some_and(|first| present.any(|value| value != first))
}

/// The chosen columns one after another, and labels and weights as the library takes them.
fn flatten(data: &TrainingData, columns: &[usize]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let values = columns.iter().flat_map(|&i| data.columns[i].iter().copied()).collect();
    let labels = data.labels.iter().map(|&label| f64::from(u8::from(label))).collect();
    (values, labels, vec![1.0; data.labels.len()])
}

/// The library's trees as flat ones. Where a feature was never missing in training, nothing was
/// learned of its missing values; they follow the side with more training rows.
fn convert(
    trees: &[Tree],
    base_score: f64,
    n_features: usize,
    varying: &[usize],
    never_missing: &[bool],
) -> Fit {
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
            let feature = varying[node.split_feature];
            fit.gain[feature] += f64::from(node.split_gain);
            fit.splits[feature] += 1;
            let left = nodes.len();
            let missing_left = if never_missing[node.split_feature] {
                tree.nodes[node.left_child].hessian_sum > tree.nodes[node.right_child].hessian_sum
            } else {
                node.missing_node == node.left_child
            };
            nodes[to] = Node::Split {
                feature: feature as u32,
                threshold: node.split_value,
                left: left as u32,
                missing_left,
            };
            nodes.extend([Node::Leaf(0.0); 2]);
            open.extend([(node.left_child, left), (node.right_child, left + 1)]);
        }
    }
    fit
}
