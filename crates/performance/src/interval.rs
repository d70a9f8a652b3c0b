//! Confidence intervals that have a formula.

use serde::{Deserialize, Serialize};
use streamflow_stats::{norm_ppf, t_ppf};

/// Confidence of every interval of this crate.
pub const CONFIDENCE: f64 = 0.95;

/// A confidence interval at [`CONFIDENCE`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// `value` ± `half_width`, clipped to `range`; `None` when an end would be NaN.
    pub(crate) fn around(value: f64, half_width: f64, range: (f64, f64)) -> Option<Self> {
        Self { low: value - half_width, high: value + half_width }.clipped(range)
    }

    /// The part inside `range`; `None` when an end is NaN.
    pub(crate) fn clipped(self, (least, largest): (f64, f64)) -> Option<Self> {
        let known = !self.low.is_nan() && !self.high.is_nan();
        known.then(|| Self { low: self.low.clamp(least, largest), high: self.high.clamp(least, largest) })
    }

    /// Tells whether a value is inside, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How many standard errors the normal interval reaches to either side: 1.96.
pub(crate) fn normal_quantile() -> f64 {
    norm_ppf(0.5 + 0.5 * CONFIDENCE)
}

/// Interval of a share by Wilson's score: (p̂ + z²/2n ± z √(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n).
///
/// In [0, 1] and never empty, also at 0 and at n successes. `None` without trials.
///
/// Source: E. Wilson (1927), doi:10.1080/01621459.1927.10502953. Oracle:
/// `scipy.stats.binomtest(k, n).proportion_ci(method="wilson")` of SciPy 1.17.1.
pub(crate) fn wilson(successes: f64, trials: f64) -> Option<Interval> {
    if trials <= 0.0 {
        return None;
    }
    let z = normal_quantile();
    let share = successes / trials;
    let scale = 1.0 + z * z / trials;
    let centre = (share + z * z / (2.0 * trials)) / scale;
    let half = z * (share * (1.0 - share) / trials + z * z / (4.0 * trials * trials)).sqrt() / scale;
    // Without failures or successes the end is the share itself, not left to rounding.
    let low = if successes == 0.0 { 0.0 } else { centre - half };
    let high = if successes == trials { 1.0 } else { centre + half };
    Interval { low, high }.clipped((0.0, 1.0))
}

/// Student's interval of a mean: mean ± t(n − 1) s/√n with the standard error s/√n given, clipped to `range`. `None`
/// with fewer than two rows.
///
/// Source: Student (1908), doi:10.2307/2331554. Oracle: `scipy.stats.t.interval(0.95, n - 1, mean, se)` of SciPy 1.17.1.
pub(crate) fn student(mean: f64, standard_error: f64, rows: usize, range: (f64, f64)) -> Option<Interval> {
    if rows < 2 {
        return None;
    }
    student_with(mean, standard_error, (rows - 1) as f64).and_then(|interval| interval.clipped(range))
}

/// The same with the degrees of freedom given, and not clipped.
pub(crate) fn student_with(mean: f64, standard_error: f64, degrees: f64) -> Option<Interval> {
    let reach = t_ppf(0.5 + 0.5 * CONFIDENCE, degrees) * standard_error;
    Interval::around(mean, reach, (f64::NEG_INFINITY, f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Option<Interval>, expected: Option<(f64, f64)>) {
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some((low, high))) => {
                assert!((found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12, "{found:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn intervals_are_scipys() {
        // scipy 1.17.1: binomtest(k, n).proportion_ci(method="wilson"), t.interval(0.95, n - 1, mean, se)
        check(wilson(0.0, 0.0), None);
        check(wilson(0.0, 10.0), Some((0.0, 0.277_532_799_862_889_26)));
        check(wilson(7.0, 20.0), Some((0.181_191_824_101_082_1, 0.567_145_723_314_763_7)));
        check(wilson(500.0, 500.0), Some((0.992_375_659_538_447_9, 1.0)));
        check(student(0.4, 0.05, 1, (0.0, 1.0)), None);
        check(student(0.4, 0.05, 12, (0.0, 1.0)), Some((0.289_950_741_995_418_1, 0.510_049_258_004_582)));
        check(student(0.4, 0.4, 12, (0.0, 1.0)), Some((0.0, 1.0)));
    }
}
