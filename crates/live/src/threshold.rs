//! How large z must be when a window is looked at again and again.

use std::f64::consts::PI;

/// Minutes of the 30 days that false alarms are counted over.
pub const MONTH_MINUTES: f64 = 30.0 * 24.0 * 60.0;

/// The z that `statistics` sliding windows of `window_minutes`, looked at every minute, are expected to pass `budget`
/// times in 30 days although nothing has changed.
///
/// Solves statistics · (30 d/w) · 2 z φ(z) · exp(−0.583 z √(2/m)) = budget with m looks a window: the rate at which
/// |Z| of a moving average of independent rows crosses z upwards, its autocorrelation being 1 − |τ|. Pickands 1969
/// (doi:10.1090/S0002-9947-1969-0250367-X) for the rate, Siegmund 1985 (doi:10.1007/978-1-4757-1862-1) for looks that
/// are not continuous. Features that depend on each other have fewer alarms than this. Between 1 and 12.
#[must_use]
pub fn upcrossing_z(budget: f64, statistics: usize, window_minutes: u32) -> f64 {
    let looks = f64::from(window_minutes.max(1));
    let windows = MONTH_MINUTES / looks;
    let expected = |z: f64| {
        statistics as f64 * windows * 2.0 * z * density(z) * (-0.583 * z * (2.0 / looks).sqrt()).exp()
    };
    let (mut low, mut high) = (1.0, 12.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if expected(middle) > budget { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The density of the standard normal.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `brentq` of SciPy 1.17.1 solves the same equation.
    #[test]
    fn thresholds_of_sixteen_features_looked_at_every_minute() {
        for (minutes, expected) in [(15, 5.26), (60, 5.10), (360, 4.79), (1440, 4.50)] {
            let z = upcrossing_z(0.5 / 4.0, 32, minutes);
            assert!((z - expected).abs() < 0.005, "{minutes}: {z}");
        }
    }

    #[test]
    fn more_statistics_and_a_smaller_budget_ask_for_more() {
        assert!(upcrossing_z(0.1, 10, 15) < upcrossing_z(0.1, 100, 15));
        assert!(upcrossing_z(0.1, 10, 15) < upcrossing_z(0.01, 10, 15));
        assert!(upcrossing_z(f64::MIN_POSITIVE, usize::MAX, 0) <= 12.0);
        assert!(upcrossing_z(1e9, 0, 15) >= 1.0);
    }
}
