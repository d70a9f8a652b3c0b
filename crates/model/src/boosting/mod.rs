//! Gradient boosted trees by histograms: each tree is a step down the loss of all rows, as a sum over bins of values.
//!
//! Columns become bins once ([`bins`]); a tree needs the sums of gradients over the bins of each node ([`histogram`]), of
//! which one of two children is added up and the other is the difference. Gradients are integers, so sums are exact: a fit
//! is a function of its input alone, on any number of threads. The method is that of Chen and Guestrin 2016
//! (doi:10.1145/2939672.2939785).

mod bins;
mod gradients;
mod grow;
mod histogram;

use serde::{Deserialize, Serialize};

pub(crate) use self::bins::{BinnedRows, is_informative};
use self::gradients::{Gradients, Round, Scores};
pub(crate) use self::gradients::{Labels, Loss, log_sum_exp, mean_loss};
use self::grow::Growth;
use crate::ensemble::{Ensemble, Node};

/// How the answer may change where a feature grows and the others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It never falls.
    Increasing,
    /// It never rises.
    Decreasing,
}

/// How much more a row weighs in a leaf under the squared loss than under the log loss, at most: p(1−p) of a half is ¼.
const SQUARED_ROW_WEIGHT: f64 = 4.0;

/// What is chosen of trees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeSettings {
    /// The most splits between the root and a leaf.
    pub max_depth: usize,
    /// What each tree's contribution is multiplied with.
    pub learning_rate: f64,
    /// L2 penalty on the values of leaves.
    pub l2: f64,
    /// The least sum of p(1−p) over the rows of a leaf; of numbers, a fourth of the least number of rows.
    pub min_leaf_weight: f64,
}

/// What trees learn from.
#[derive(Clone, Copy)]
pub(crate) struct TrainingData<'a> {
    pub bins: &'a BinnedRows,
    pub labels: Labels<'a>,
    /// Number of features, of which columns of the bins may be fewer.
    pub n_features: usize,
    /// Of each feature; empty where none has one.
    pub monotone: &'a [Option<Direction>],
}

/// Other rows, which say when to stop.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    /// One vector per feature.
    pub columns: &'a [Vec<f64>],
    pub labels: Labels<'a>,
}

/// When to stop adding trees.
pub(crate) enum Rounds<'a> {
    /// After this many.
    Exactly(usize),
    /// When the loss on other rows has not fallen in `patience` rounds, or after `most`; the trees of the least loss are kept.
    Until { evaluation: Evaluation<'a>, most: usize, patience: usize },
}

/// Fitted trees and what each feature contributed.
pub(crate) struct Fit {
    /// One for each output of the loss.
    pub ensembles: Vec<Ensemble>,
    /// Loss reduction by splits on each feature.
    pub gain: Vec<f64>,
    /// Number of splits on each feature.
    pub splits: Vec<u64>,
    /// The mean loss on the other rows, where there are any.
    pub loss: Option<f64>,
}

/// Fits trees. Without a varying feature or without different labels the result has no trees and scores every row alike.
pub(crate) fn fit(data: TrainingData, loss: Loss, tree: &TreeSettings, rounds: &Rounds) -> Fit {
    let scale = Scale::of(data.labels, loss);
    let scaled = scale.apply(data.labels.values);
    let labels = Labels { values: &scaled, ..data.labels };
    let is_constant = labels.values.iter().all(|label| *label == labels.values[0]);
    let mut boosting = Boosting::new(TrainingData { labels, ..data }, loss, tree);
    if !(data.bins.columns.is_empty() || is_constant) {
        match rounds {
            Rounds::Exactly(rounds) => {
                for _ in 0..*rounds {
                    if !boosting.add_round() {
                        break;
                    }
                }
            }
            Rounds::Until { evaluation, most, patience } => {
                boosting.until(*evaluation, scale, *most, *patience)
            }
        }
    }
    let mut fit = boosting.finish();
    fit.ensembles.iter_mut().for_each(|ensemble| scale.undo(ensemble));
    fit.loss = fit.loss.map(|loss| loss * scale.deviation);
    fit
}

/// Numbers are learned as their distance from the mean in standard deviations, so that the penalties of the settings mean
/// the same in every unit.
#[derive(Clone, Copy)]
struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    fn of(labels: Labels, loss: Loss) -> Scale {
        const NONE: Scale = Scale { mean: 0.0, deviation: 1.0 };
        if loss != Loss::Squared {
            return NONE;
        }
        let rows = labels.values.len() as f64;
        let mean = labels.values.iter().map(|label| label / rows).sum::<f64>();
        let deviation = labels.values.iter().map(|label| (label - mean).powi(2) / rows).sum::<f64>().sqrt();
        Scale { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }

    fn apply(self, labels: &[f64]) -> Vec<f64> {
        labels.iter().map(|label| (label - self.mean) / self.deviation).collect()
    }

    fn undo(self, ensemble: &mut Ensemble) {
        ensemble.base_score = ensemble.base_score * self.deviation + self.mean;
        for node in &mut ensemble.nodes {
            if let Node::Leaf(value) = node {
                *value *= self.deviation;
            }
        }
    }
}

/// Scores before any tree: the log-odds of the labels, their mean, or the logarithms of the shares of classes.
fn base_scores(labels: Labels, loss: Loss) -> Vec<f64> {
    let rows = labels.values.len();
    let all: f64 = (0..rows).map(|row| labels.weight(row)).sum();
    let sum = |of: &dyn Fn(f64) -> f64| {
        (0..rows).map(|row| labels.weight(row) * of(labels.values[row])).sum::<f64>()
    };
    match loss {
        // Half a row more of each class keeps logarithms finite.
        Loss::Log => {
            let positives = sum(&|label| label);
            vec![((positives + 0.5) / (all - positives + 0.5)).ln()]
        }
        Loss::Squared => vec![if rows == 0 { 0.0 } else { sum(&|label| label) / all }],
        Loss::Softmax(classes) => (0..classes)
            .map(|class| {
                let of_class = sum(&|label| f64::from(u8::from(label == class as f64)));
                ((of_class + 0.5) / (all + 0.5 * classes as f64)).ln()
            })
            .collect(),
    }
}

/// Trees while they are added.
struct Boosting<'a> {
    data: TrainingData<'a>,
    loss: Loss,
    tree: TreeSettings,
    /// Of each column of the bins; empty where none has one.
    monotone: Vec<Option<Direction>>,
    scores: Scores,
    gradients: Gradients,
    rows: Vec<u32>,
    room: Vec<u32>,
    /// The splits of each tree, in the order in which they were made.
    ensembles: Vec<Ensemble>,
    splits: Vec<Vec<(usize, f64)>>,
    evaluated: Option<f64>,
}

impl<'a> Boosting<'a> {
    fn new(data: TrainingData<'a>, loss: Loss, tree: &TreeSettings) -> Boosting<'a> {
        let rows = data.labels.values.len();
        let base = base_scores(data.labels, loss);
        let direction = |feature: usize| data.monotone.get(feature).copied().flatten();
        let mut monotone: Vec<_> = data.bins.columns.iter().map(|column| direction(column.feature)).collect();
        if monotone.iter().all(Option::is_none) {
            monotone.clear();
        }
        let ensemble = |base_score: f64| Ensemble {
            base_score,
            n_features: data.n_features as u32,
            roots: Vec::new(),
            nodes: Vec::new(),
        };
        let weight = if loss == Loss::Squared { SQUARED_ROW_WEIGHT } else { 1.0 };
        Boosting {
            data,
            loss,
            tree: TreeSettings { min_leaf_weight: tree.min_leaf_weight * weight, ..*tree },
            monotone,
            scores: base.iter().map(|base| vec![*base; rows]).collect(),
            gradients: Gradients { rows: vec![[0; 2]; rows], unit: 1.0 },
            rows: (0..rows as u32).collect(),
            room: vec![0; rows],
            ensembles: base.into_iter().map(ensemble).collect(),
            splits: Vec::new(),
            evaluated: None,
        }
    }

    /// Adds a tree to each output. False, and no trees, where none of them tells rows apart.
    fn add_round(&mut self) -> bool {
        let round = Round::new(self.loss, self.data.labels, &self.scores);
        let mut is_useful = false;
        for (output, ensemble) in self.ensembles.iter_mut().enumerate() {
            round.derive(output, &self.scores[output], &mut self.gradients);
            self.rows.iter_mut().zip(0..).for_each(|(row, number)| *row = number);
            let growth = Growth {
                bins: self.data.bins,
                gradients: &self.gradients,
                tree: self.tree,
                monotone: &self.monotone,
            };
            let grown = growth.grow(&mut self.rows, &mut self.room);
            grown.add_to(&self.rows, &mut self.scores[output]);
            is_useful |= !grown.is_leaf();
            let mut splits = Vec::new();
            ensemble.roots.push(ensemble.nodes.len() as u32);
            grown.flatten(self.data.bins, &mut ensemble.nodes, |feature, gain| splits.push((feature, gain)));
            self.splits.push(splits);
        }
        if !is_useful {
            self.keep(self.ensembles[0].roots.len() - 1);
        }
        is_useful
    }

    fn keep(&mut self, rounds: usize) {
        self.splits.truncate(rounds * self.ensembles.len());
        for ensemble in &mut self.ensembles {
            if let Some(end) = ensemble.roots.get(rounds) {
                ensemble.nodes.truncate(*end as usize);
                ensemble.roots.truncate(rounds);
            }
        }
    }

    fn until(&mut self, evaluation: Evaluation, scale: Scale, most: usize, patience: usize) {
        let values = scale.apply(evaluation.labels.values);
        let labels = Labels { values: &values, ..evaluation.labels };
        let start = |ensemble: &Ensemble| vec![ensemble.base_score; values.len()];
        let mut scores: Scores = self.ensembles.iter().map(start).collect();
        let (mut best, mut best_rounds) = (f64::INFINITY, 0);
        for rounds in 1..=most {
            if !self.add_round() {
                break;
            }
            for (ensemble, scores) in self.ensembles.iter().zip(&mut scores) {
                ensemble.add_last_tree(evaluation.columns, scores);
            }
            let loss = mean_loss(self.loss, labels, &scores);
            if loss < best {
                (best, best_rounds) = (loss, rounds);
            }
            if rounds - best_rounds >= patience {
                break;
            }
        }
        self.keep(best_rounds.max(1));
        self.evaluated = best.is_finite().then_some(best);
    }

    fn finish(self) -> Fit {
        let mut fit = Fit {
            ensembles: self.ensembles,
            gain: vec![0.0; self.data.n_features],
            splits: vec![0; self.data.n_features],
            loss: self.evaluated,
        };
        for (feature, gain) in self.splits.into_iter().flatten() {
            fit.gain[feature] += gain;
            fit.splits[feature] += 1;
        }
        fit
    }
}

#[cfg(test)]
mod tests;
