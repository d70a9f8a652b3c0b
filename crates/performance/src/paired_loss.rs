//! Whether one model's loss on a row is smaller than the other's, over the same rows.

use serde::{Deserialize, Serialize};
use streamflow_stats::{sum, t_sf};

use crate::interval::{Interval, student};

/// The paired t test of two models' losses; a positive difference speaks for the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedLoss {
    /// Mean of (loss of production − loss of the candidate).
    pub difference: f64,
    /// Standard error s/√n with ddof 1; `None` with fewer than two rows.
    pub standard_error: Option<f64>,
    /// difference / standard error; `None` without a standard error above 0.
    pub t: Option<f64>,
    /// Two-sided p with n − 1 degrees of freedom; 1 when all losses are equal, `None` where nothing was tested.
    pub p_two_sided: Option<f64>,
    /// One-sided p against "the candidate is no better"; `None` without t.
    pub p_candidate_better: Option<f64>,
    /// Student's interval of the difference.
    pub interval: Option<Interval>,
}

impl PairedLoss {
    /// Tests the differences (loss of production − loss of the candidate), one a row; `None` without rows.
    ///
    /// Source: Student (1908), doi:10.2307/2331554. Oracle: `scipy.stats.ttest_1samp(differences, 0)` of SciPy 1.17.1.
    pub(crate) fn new(differences: &[f64]) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        let rows = differences.len() as f64;
        let difference = sum(differences.iter().copied()) / rows;
        let squares = sum(differences.iter().map(|value| (value - difference).powi(2)));
        let standard_error = (differences.len() >= 2).then(|| (squares / (rows - 1.0) / rows).sqrt());
        let t = standard_error.filter(|error| *error > 0.0).map(|error| difference / error);
        let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
        Some(Self {
            difference,
            standard_error,
            t,
            p_two_sided: match t {
                Some(t) => Some((2.0 * t_sf(t.abs(), rows - 1.0)).min(1.0)),
                None => (difference == 0.0).then_some(1.0),
            },
            p_candidate_better: t.map(|t| t_sf(t, rows - 1.0)),
            interval: standard_error
                .and_then(|error| student(difference, error, differences.len(), unbounded)),
        })
    }
}
