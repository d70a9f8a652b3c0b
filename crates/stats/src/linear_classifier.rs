//! A sparse linear classifier fitted by stochastic gradient descent.

use crate::random::Random;
use crate::term_weights::Rows;

/// Strength of the L1 penalty.
const PENALTY: f64 = 1e-4;
/// Passes over the training rows, at most.
const MOST_EPOCHS: usize = 50;
/// An epoch that improves the mean loss by less counts as none.
const TOLERANCE: f64 = 1e-3;
/// Epochs without improvement after which training ends.
const PATIENCE: usize = 5;
/// The intercept moves more slowly, because every row updates it and sparse columns few.
const INTERCEPT_SHARE: f64 = 0.01;

/// Weights and intercept of a decision that is positive for the second class.
pub(crate) struct LinearClassifier {
    weights: Vec<f64>,
    intercept: f64,
}

impl LinearClassifier {
    /// Modified Huber loss (T. Zhang, 2004, doi:10.1145/1015330.1015332), L1 penalty by cumulative truncation
    /// (Y. Tsuruoka, J. Tsujii and S. Ananiadou, 2009, doi:10.3115/1687878.1687946), step 1 / (penalty (t₀ + t)).
    ///
    /// The settings are those of scikit-learn's `SGDClassifier(loss="modified_huber", penalty="l1", alpha=1e-4,
    /// max_iter=50)`. Rows are visited in a new random order every epoch.
    pub(crate) fn fit(rows: &Rows, labels: &[bool], columns: usize, random: &mut Random) -> Self {
        let mut model = Self { weights: vec![0.0; columns], intercept: 0.0 };
        let mut applied = vec![0.0; columns];
        let mut total_penalty = 0.0;
        // The first step is as long as a typical weight, 1/√(√penalty).
        let first_step = (1.0 / PENALTY.sqrt()).sqrt();
        let mut time = 1.0 / (first_step * PENALTY);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let (mut best, mut stale) = (f64::INFINITY, 0);
        for _ in 0..MOST_EPOCHS {
            random.shuffle(&mut order);
            let mut loss = 0.0;
            for &index in &order {
                let row = rows.row(index);
                let label = if labels[index] { 1.0 } else { -1.0 };
                let margin = label * model.decision(row);
                loss += loss_at(margin);
                let step = 1.0 / (PENALTY * time);
                let change = -step * label * slope_at(margin);
                if change != 0.0 {
                    for &(column, value) in row {
                        model.weights[column as usize] += change * f64::from(value);
                    }
                    model.intercept += INTERCEPT_SHARE * change;
                }
                total_penalty += step * PENALTY;
                for &(column, _) in row {
                    let column = column as usize;
                    shrink(&mut model.weights[column], &mut applied[column], total_penalty);
                }
                time += 1.0;
            }
            stale = if loss > best - TOLERANCE * rows.len() as f64 { stale + 1 } else { 0 };
            best = best.min(loss);
            if stale >= PATIENCE {
                break;
            }
        }
        model
    }

    /// Weighted sum and intercept.
    pub(crate) fn decision(&self, row: &[(u32, f32)]) -> f64 {
        row.iter().map(|&(column, value)| self.weights[column as usize] * f64::from(value)).sum::<f64>()
            + self.intercept
    }
}

fn loss_at(margin: f64) -> f64 {
    if margin >= 1.0 {
        0.0
    } else if margin >= -1.0 {
        (1.0 - margin).powi(2)
    } else {
        -4.0 * margin
    }
}

fn slope_at(margin: f64) -> f64 {
    if margin >= 1.0 {
        0.0
    } else if margin >= -1.0 {
        -2.0 * (1.0 - margin)
    } else {
        -4.0
    }
}

/// Moves a weight towards 0 by the penalty it has not yet paid, stopping at 0.
fn shrink(weight: &mut f64, applied: &mut f64, total: f64) {
    let before = *weight;
    if before > 0.0 {
        *weight = (before - (total + *applied)).max(0.0);
    } else if before < 0.0 {
        *weight = (before + (total - *applied)).min(0.0);
    }
    *applied += *weight - before;
}
