//! What trees make small, and its first and second derivatives by the score of each row.

use rayon::prelude::*;

use super::histogram::RowGradient;
use crate::Task;
use crate::ensemble::sigmoid;

/// Rows that one thread derives.
const ROWS_AT_ONCE: usize = 1 << 14;
/// The largest derivative of a row as an integer: sums of 2³³ rows stay within 64 bits.
const LARGEST: f64 = (1_u64 << 30) as f64;

/// What the trees make small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// −ln of the probability of the label; the score is the log-odds.
    Log,
    /// The squared error; the score is the number.
    Squared,
    /// −ln of the probability of the class, by the softmax of so many scores.
    Softmax(usize),
}

impl Loss {
    pub fn of(task: Task, classes: usize) -> Loss {
        match task {
            Task::Binary => Loss::Log,
            Task::Multiclass => Loss::Softmax(classes),
            Task::Regression => Loss::Squared,
        }
    }

    /// Scores of a row.
    pub fn outputs(self) -> usize {
        match self {
            Loss::Log | Loss::Squared => 1,
            Loss::Softmax(classes) => classes,
        }
    }
}

/// Labels with what they weigh.
#[derive(Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// 1 and 0 for true and false, the index of the class, or the number.
    pub values: &'a [f64],
    /// Of each row, above 0; without them every row weighs 1.
    pub weights: Option<&'a [f64]>,
}

impl Labels<'_> {
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    fn largest_weight(&self) -> f64 {
        self.weights.map_or(1.0, |weights| weights.iter().copied().fold(0.0, f64::max))
    }
}

/// The derivatives of all rows by one of their scores, as integers in a common unit.
pub(crate) struct Gradients {
    pub rows: Vec<RowGradient>,
    /// What one stands for.
    pub unit: f64,
}

/// The scores of rows: a list for each output.
pub(crate) type Scores = Vec<Vec<f64>>;

/// What one round of trees follows.
pub(crate) struct Round<'a> {
    loss: Loss,
    labels: Labels<'a>,
    /// The logarithm of the sum of the exponentials of a row's scores, under softmax.
    normalisers: Vec<f64>,
}

impl<'a> Round<'a> {
    pub fn new(loss: Loss, labels: Labels<'a>, scores: &Scores) -> Round<'a> {
        let normalisers = match loss {
            Loss::Softmax(_) => (0..labels.values.len())
                .into_par_iter()
                .with_min_len(ROWS_AT_ONCE)
                .map(|row| log_sum_exp(scores.iter().map(|of_class| of_class[row])))
                .collect(),
            Loss::Log | Loss::Squared => Vec::new(),
        };
        Round { loss, labels, normalisers }
    }

    /// Derives by one of the scores, which are those the round began with.
    pub fn derive(&self, output: usize, scores: &[f64], gradients: &mut Gradients) {
        let derivatives = |row: usize, score: f64| {
            let label = self.labels.values[row];
            match self.loss {
                Loss::Log => {
                    let probability = sigmoid(score);
                    (probability - label, probability * (1.0 - probability))
                }
                Loss::Squared => (score - label, 1.0),
                Loss::Softmax(classes) => {
                    let probability = (score - self.normalisers[row]).exp();
                    let actual = f64::from(u8::from(label == output as f64));
                    // The scores of the other classes move too: Friedman 2001, doi:10.1214/aos/1013203451, algorithm 6.
                    let factor = classes as f64 / (classes as f64 - 1.0);
                    (probability - actual, factor * probability * (1.0 - probability))
                }
            }
        };
        let largest = self.labels.largest_weight() * self.largest(scores);
        gradients.unit = largest / LARGEST;
        gradients.rows.par_chunks_mut(ROWS_AT_ONCE).enumerate().for_each(|(chunk, rows)| {
            for (within, gradient) in rows.iter_mut().enumerate() {
                let row = chunk * ROWS_AT_ONCE + within;
                let (first, second) = derivatives(row, scores[row]);
                let weight = self.labels.weight(row) / gradients.unit;
                // A row is never without weight: that is how bins without rows are known.
                *gradient = [(first * weight).round() as i32, ((second * weight).round() as i32).max(1)];
            }
        });
    }

    /// A bound of the derivatives of rows that weigh 1.
    fn largest(&self, scores: &[f64]) -> f64 {
        match self.loss {
            Loss::Log | Loss::Softmax(_) => 1.0,
            Loss::Squared => scores
                .iter()
                .zip(self.labels.values)
                .map(|(score, label)| (score - label).abs())
                .fold(1.0, f64::max),
        }
    }
}

pub(crate) fn log_sum_exp(scores: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + scores.map(|score| (score - largest).exp()).sum::<f64>().ln()
}

/// The mean loss of rows by their weights; of the squared error its root.
pub(crate) fn mean_loss(loss: Loss, labels: Labels, scores: &Scores) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (row, &label) in labels.values.iter().enumerate() {
        let score = scores[0][row];
        let of_row = match loss {
            // −ln sigmoid(±score), without a logarithm of 0.
            Loss::Log => {
                let against = if label == 1.0 { -score } else { score };
                against.max(0.0) + (-against.abs()).exp().ln_1p()
            }
            Loss::Squared => (score - label).powi(2),
            // A class that training did not have is none of the scores; it says nothing about when to stop.
            Loss::Softmax(_) if label.is_nan() => continue,
            Loss::Softmax(_) => {
                log_sum_exp(scores.iter().map(|of_class| of_class[row])) - scores[label as usize][row]
            }
        };
        let weight = labels.weight(row);
        sum += weight * of_row;
        weights += weight;
    }
    let mean = sum / weights;
    if loss == Loss::Squared { mean.sqrt() } else { mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derivatives by differences of the mean loss.
    fn check(loss: Loss, labels: &[f64], weights: Option<&[f64]>, scores: &Scores) {
        let labels = Labels { values: labels, weights };
        let total: f64 = (0..labels.values.len()).map(|row| labels.weight(row)).sum();
        let of = |scores: &Scores| match loss {
            Loss::Squared => mean_loss(loss, labels, scores).powi(2) / 2.0 * total,
            _ => mean_loss(loss, labels, scores) * total,
        };
        for output in 0..loss.outputs() {
            let mut found = Gradients { rows: vec![[0; 2]; labels.values.len()], unit: 1.0 };
            Round::new(loss, labels, scores).derive(output, &scores[output], &mut found);
            for row in 0..labels.values.len() {
                let moved = |by: f64| {
                    let mut scores = scores.clone();
                    scores[output][row] += by;
                    of(&scores)
                };
                let step = 1e-3;
                let first = (moved(step) - moved(-step)) / (2.0 * step);
                let second = (moved(step) - 2.0 * moved(0.0) + moved(-step)) / (step * step);
                let second = if let Loss::Softmax(classes) = loss {
                    second * classes as f64 / (classes as f64 - 1.0)
                } else {
                    second
                };
                let [gradient, hessian] = found.rows[row].map(|units| f64::from(units) * found.unit);
                assert!((gradient - first).abs() < 1e-6, "{loss:?} {row} {gradient} {first}");
                assert!((hessian - second).abs() < 1e-4, "{loss:?} {row} {hessian} {second}");
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        let scores = vec![vec![0.3, -2.0, 4.0, 0.0]];
        check(Loss::Log, &[1.0, 0.0, 0.0, 1.0], None, &scores);
        check(Loss::Log, &[1.0, 0.0, 0.0, 1.0], Some(&[3.0, 0.5, 1.0, 2.0]), &scores);
        check(Loss::Squared, &[1.0, 70.0, -3.0, 0.0], Some(&[1.0, 2.0, 1.0, 1.0]), &scores);
        let scores = vec![vec![0.3, -2.0], vec![1.0, 1.0], vec![-5.0, 0.0]];
        check(Loss::Softmax(3), &[2.0, 1.0], None, &scores);
    }
}
