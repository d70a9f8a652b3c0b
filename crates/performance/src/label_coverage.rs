//! How far the labels of a chunk have come in, and whether those that have are like the rest.

use serde::{Deserialize, Serialize};
use streamflow_stats::{Sample, ks_2samp};

use crate::rows::Rows;

/// How many labels of a chunk are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    /// None.
    Pending,
    /// Some: what is measured may change, and early labels are no sample of all.
    Partial,
    /// All.
    Final,
}

/// The labels of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelCoverage {
    /// Rows of the chunk.
    pub rows: usize,
    /// Rows whose label is known.
    pub labelled: usize,
    /// What that means; an empty chunk is pending.
    pub state: CoverageState,
    /// Largest distance between the score distributions of labelled and unlabelled rows (two-sample Kolmogorov–Smirnov);
    /// `None` when one of the two has no scores.
    pub ks: Option<f64>,
    /// Its p-value.
    pub p_value: Option<f64>,
    /// A warning in a sentence when the distance is above 0.1 and its p at most 0.05: the labelled rows are not like the
    /// others, and neither is performance on them.
    pub warning: Option<String>,
}

/// The distance of two score distributions from which labelled rows count as unlike the others.
const LARGE_DISTANCE: f64 = 0.1;
const SIGNIFICANCE: f64 = 0.05;

impl LabelCoverage {
    /// Looks at a chunk. O(n log n).
    #[must_use]
    pub fn of(rows: &Rows) -> Self {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (label, &score) in rows.labels().iter().zip(rows.scores()).filter(|(_, score)| !score.is_nan()) {
            if label.is_some() { known.push(score) } else { unknown.push(score) }
        }
        let test = Sample::new(known)
            .and_then(|known| ks_2samp(&known, &Sample::new(unknown)?))
            .ok()
            .filter(|test| !test.p_value.is_nan());
        let differs = test.filter(|test| test.statistic > LARGE_DISTANCE && test.p_value <= SIGNIFICANCE);
        let labelled = rows.labelled();
        Self {
            rows: rows.len(),
            labelled,
            state: match labelled {
                0 => CoverageState::Pending,
                some if some < rows.len() => CoverageState::Partial,
                _ => CoverageState::Final,
            },
            ks: test.map(|test| test.statistic),
            p_value: test.map(|test| test.p_value),
            warning: differs.map(|test| {
                format!(
                    "The {labelled} labelled rows of {} are not like the others: their scores differ by {:.2} \
                     (Kolmogorov–Smirnov, p = {:.1e}), so their performance is not that of the chunk.",
                    rows.len(),
                    test.statistic,
                    test.p_value
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_no_sample_are_warned_of() {
        let check = |labelled: fn(u32) -> bool, rows: u32, expected: CoverageState, warns: bool| {
            let scores = (0..rows).map(|row| f64::from(row) / f64::from(rows)).collect();
            let labels = (0..rows).map(|row| labelled(row).then_some(row % 3 == 0)).collect();
            let found = LabelCoverage::of(&Rows::at_threshold(labels, scores, 0.5).unwrap());
            assert_eq!((found.state, found.warning.is_some()), (expected, warns), "{found:?}");
            assert_eq!(found.ks.is_some(), expected == CoverageState::Partial);
        };
        check(|_| false, 0, CoverageState::Pending, false);
        check(|_| false, 100, CoverageState::Pending, false);
        check(|_| true, 100, CoverageState::Final, false);
        check(|row| row % 2 == 0, 200, CoverageState::Partial, false);
        check(|row| row > 100, 200, CoverageState::Partial, true);
        // As unlike, but of two rows.
        check(|row| row > 0, 2, CoverageState::Partial, false);
    }
}
