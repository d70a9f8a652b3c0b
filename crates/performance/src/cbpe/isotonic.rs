//! Isotonic regression of the label on the score.

use serde::{Deserialize, Serialize};

use crate::ranking::Step;

/// A non-decreasing map of scores to probabilities: straight lines between knots, constant outside them.
///
/// The knots are where least squares under the constraint of order puts them, by pooling adjacent violators; a stretch
/// of equal values keeps its two ends. O(n) once sorted; a value is found in O(log knots).
///
/// Source: M. Ayer et al. (1955), doi:10.1214/aoms/1177728423. Oracle:
/// `sklearn.isotonic.IsotonicRegression(out_of_bounds="clip")` of scikit-learn 1.9.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Pairs of score and probability, both ascending.
    knots: Vec<[f64; 2]>,
}

/// Neighbouring steps whose means were pooled.
struct Block {
    first: f64,
    last: f64,
    positives: f64,
    rows: f64,
}

impl Isotonic {
    /// Fits the share of positive rows to the score; `None` without rows.
    pub(crate) fn fit(steps: &[Step]) -> Option<Self> {
        let mut blocks: Vec<Block> = Vec::new();
        for step in steps {
            let (positives, rows) = (step.positives, step.rows());
            let mut open = Block { first: step.score, last: step.score, positives, rows };
            // Pool while the block before does not lie below: its mean, cross-multiplied so that no division rounds.
            while let Some(before) =
                blocks.pop_if(|before| before.positives * open.rows >= open.positives * before.rows)
            {
                open.first = before.first;
                open.positives += before.positives;
                open.rows += before.rows;
            }
            blocks.push(open);
        }
        let ends = |block: &Block| {
            let mean = block.positives / block.rows;
            let last = (block.last > block.first).then_some([block.last, mean]);
            std::iter::once([block.first, mean]).chain(last)
        };
        let knots: Vec<[f64; 2]> = blocks.iter().flat_map(ends).collect();
        (!knots.is_empty()).then_some(Self { knots })
    }

    /// The knots, pairs of score and probability.
    #[must_use]
    pub fn knots(&self) -> &[[f64; 2]] {
        &self.knots
    }

    /// The probability of a score; NaN of NaN.
    #[must_use]
    pub fn at(&self, score: f64) -> f64 {
        if score.is_nan() {
            return f64::NAN;
        }
        let above = self.knots.partition_point(|knot| knot[0] <= score);
        match (above.checked_sub(1).map(|below| self.knots[below]), self.knots.get(above)) {
            (Some([x, low]), Some([next, high])) => low + (high - low) * ((score - x) / (next - x)),
            (Some([_, last]), None) => last,
            (None, Some([_, first])) => *first,
            (None, None) => f64::NAN,
        }
    }
}
