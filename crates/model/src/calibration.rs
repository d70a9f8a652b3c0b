//! Corrects probabilities so that they are shares: of the rows that a model gives 0.3, three in ten are positive.
//!
//! Scores are multiplied with a slope and moved by an intercept, those of several classes by one each, so that the log loss
//! of rows that were held out is least (Platt 1999, "Probabilistic outputs for support vector machines"; of several classes
//! Guo et al. 2017, arXiv:1706.04599, with one slope). What is left is a sum of trees: the leaves are
//! multiplied, and files, exports and other programs need not know of it.

use serde::{Deserialize, Serialize};

use crate::boosting::log_sum_exp;
use crate::ensemble::{Ensemble, Node, sigmoid};

/// What became of the scores of held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrated {
    /// What scores are multiplied with.
    pub slope: f64,
    /// What is added to them then: one number, or one for each class.
    pub intercepts: Vec<f64>,
    /// Held-out rows that say so.
    pub rows: usize,
}

/// Steps of Newton's method after which it is good enough; about ten are needed.
const STEPS: usize = 50;
/// The squared length of the gradient of the mean loss at which it is least.
const FLAT: f64 = 1e-20;
/// Keeps the slope and the intercepts finite where classes are parted perfectly, as a share of the rows.
const PENALTY: f64 = 1e-6;

impl Calibrated {
    /// Of the scores of held-out rows, a list for each output, and of their labels: 1 or 0, or the place of the class.
    /// None where a class is missing, or where larger scores would become smaller.
    pub fn fit(scores: &[Vec<f64>], labels: &[f64]) -> Option<Calibrated> {
        let rows: Vec<usize> = (0..labels.len()).filter(|&row| !labels[row].is_nan()).collect();
        let classes = scores.len().max(2);
        let has = |class: usize| rows.iter().any(|&row| labels[row] == class as f64);
        if !(0..classes).all(has) {
            return None;
        }
        let mut parameters = vec![0.0; 1 + scores.len()];
        parameters[0] = 1.0;
        let mut loss = self::loss(scores, labels, &rows, &parameters);
        for _ in 0..STEPS {
            let (gradient, hessian) = derivatives(scores, labels, &rows, &parameters);
            if gradient.iter().map(|slope| slope * slope).sum::<f64>() < FLAT {
                break;
            }
            let step = solve(hessian, gradient)?;
            // Halved until the loss falls, which it does at last: it is convex.
            let moved = (0..30).map(|halvings| {
                let share = 0.5_f64.powi(halvings);
                parameters.iter().zip(&step).map(|(now, step)| now - share * step).collect::<Vec<_>>()
            });
            let mut tried = moved.map(|moved| (self::loss(scores, labels, &rows, &moved), moved));
            let Some((lower, moved)) = tried.find(|(tried, _)| *tried < loss) else { break };
            (loss, parameters) = (lower, moved);
        }
        let slope = parameters.remove(0);
        (slope > 0.0 && slope.is_finite()).then_some(Calibrated {
            slope,
            intercepts: parameters,
            rows: rows.len(),
        })
    }

    /// The corrected score.
    pub fn apply(&self, output: usize, score: f64) -> f64 {
        self.slope * score + self.intercepts[output]
    }

    /// Makes the trees of an output say the corrected score.
    pub(crate) fn apply_to(&self, output: usize, ensemble: &mut Ensemble) {
        ensemble.base_score = self.apply(output, ensemble.base_score);
        for node in &mut ensemble.nodes {
            if let Node::Leaf(value) = node {
                *value *= self.slope;
            }
        }
    }
}

/// The probability of each output for a row: of the positive class, or of each class.
fn probabilities(scores: &[Vec<f64>], row: usize, parameters: &[f64]) -> Vec<f64> {
    let corrected = scores
        .iter()
        .zip(&parameters[1..])
        .map(|(of_class, intercept)| parameters[0] * of_class[row] + intercept);
    if scores.len() == 1 {
        return corrected.map(sigmoid).collect();
    }
    let all = log_sum_exp(corrected.clone());
    corrected.map(|score| (score - all).exp()).collect()
}

/// The mean log loss with the penalty.
fn loss(scores: &[Vec<f64>], labels: &[f64], rows: &[usize], parameters: &[f64]) -> f64 {
    let of_row = |row: usize| {
        let found = probabilities(scores, row, parameters);
        let actual = match found.as_slice() {
            [positive] if labels[row] == 1.0 => *positive,
            [positive] => 1.0 - positive,
            classes => classes[labels[row] as usize],
        };
        -actual.max(f64::MIN_POSITIVE).ln()
    };
    let sum: f64 = rows.iter().map(|&row| of_row(row)).sum();
    sum / rows.len() as f64 + PENALTY / 2.0 * parameters.iter().map(|value| value * value).sum::<f64>()
}

type Matrix = Vec<Vec<f64>>;

/// The gradient and the Hessian of [`loss`].
fn derivatives(
    scores: &[Vec<f64>],
    labels: &[f64],
    rows: &[usize],
    parameters: &[f64],
) -> (Vec<f64>, Matrix) {
    let size = parameters.len();
    let share = 1.0 / rows.len() as f64;
    let mut gradient: Vec<f64> = parameters.iter().map(|value| PENALTY * value).collect();
    let mut hessian: Matrix =
        (0..size).map(|at| (0..size).map(|to| if at == to { PENALTY } else { 0.0 }).collect()).collect();
    for &row in rows {
        let found = probabilities(scores, row, parameters);
        let score = |output: usize| scores[output][row];
        let is_actual = |output: usize| match scores.len() {
            1 => labels[row],
            _ => f64::from(u8::from(labels[row] == output as f64)),
        };
        // The covariance of the probabilities is their derivative by the corrected scores.
        let covariance = |a: usize, b: usize| found[a] * (f64::from(u8::from(a == b)) - found[b]);
        for a in 0..scores.len() {
            let error = found[a] - is_actual(a);
            gradient[0] += share * error * score(a);
            gradient[a + 1] += share * error;
            for b in 0..scores.len() {
                let of_both = share * covariance(a, b);
                hessian[0][0] += of_both * score(a) * score(b);
                hessian[a + 1][b + 1] += of_both;
                hessian[0][b + 1] += of_both * score(a);
                hessian[a + 1][0] += of_both * score(b);
            }
        }
    }
    (gradient, hessian)
}

/// Solves `matrix · x = right` by elimination with pivots; none of a singular matrix.
fn solve(mut matrix: Matrix, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column] == 0.0 || !matrix[pivot][column].is_finite() {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let upper = matrix[column].clone();
        for below in column + 1..size {
            let factor = matrix[below][column] / upper[column];
            matrix[below].iter_mut().zip(&upper).for_each(|(value, upper)| *value -= factor * upper);
            right[below] -= factor * right[column];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels that are positive as often as the score says after `slope` and `intercept`.
    fn rows(slope: f64, intercept: f64) -> (Vec<f64>, Vec<f64>) {
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for step in -20..=20 {
            let score = f64::from(step) / 5.0;
            let positives = (1000.0 * sigmoid(slope * score + intercept)).round() as usize;
            scores.extend(vec![score; 1000]);
            labels.extend((0..1000).map(|row| f64::from(u8::from(row < positives))));
        }
        (scores, labels)
    }

    #[test]
    fn the_slope_and_the_intercept_are_found() {
        for (slope, intercept) in [(1.0, 0.0), (0.5, -1.2), (1.8, 0.7)] {
            let (scores, labels) = rows(slope, intercept);
            let found = Calibrated::fit(&[scores], &labels).unwrap();
            assert!((found.slope - slope).abs() < 0.01, "{found:?}");
            assert!((found.intercepts[0] - intercept).abs() < 0.01, "{found:?}");
        }
    }

    #[test]
    fn of_several_classes_each_has_the_probability_that_its_share_is() {
        // The classes have 1, 2 and 7 rows of ten, and the scores of every third row are right.
        let labels: Vec<f64> =
            (0..90).map(|row| [0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0][row % 10]).collect();
        let score = |class: usize, row: usize| {
            f64::from(u8::from(row.is_multiple_of(3) && labels[row] == class as f64))
        };
        let scores: Vec<Vec<f64>> =
            (0..3).map(|class| (0..90).map(|row| score(class, row)).collect()).collect();
        let found = Calibrated::fit(&scores, &labels).unwrap();
        let parameters = [vec![found.slope], found.intercepts].concat();
        for (class, share) in [0.1, 0.2, 0.7].into_iter().enumerate() {
            let sum: f64 = (0..90).map(|row| probabilities(&scores, row, &parameters)[class]).sum();
            assert!((sum / 90.0 - share).abs() < 1e-4, "{class} {sum}");
        }
    }

    #[test]
    fn what_cannot_be_corrected_is_left() {
        assert_eq!(Calibrated::fit(&[vec![0.1, 0.2]], &[1.0, 1.0]), None);
        assert_eq!(Calibrated::fit(&[vec![]], &[]), None);
        let (scores, labels) = rows(-1.0, 0.0);
        assert_eq!(Calibrated::fit(&[scores], &labels), None, "the larger score would be the less likely");
        let parted = Calibrated::fit(&[vec![-1.0, -1.0, 1.0, 1.0]], &[0.0, 0.0, 1.0, 1.0]).unwrap();
        assert!(parted.slope.is_finite() && parted.slope > 1.0);
    }
}
