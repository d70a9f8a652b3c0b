//! How small a change would have been seen: what a month of stored traffic was enough for.

use std::f64::consts::SQRT_2;

use streamflow_stats::norm_ppf;

use crate::judge::Judge;
use crate::window::Window;

/// A change is said to be seen when it passes the thresholds in 95 of 100 cases: this many standard errors over them.
const POWER_Z: f64 = 1.645;

/// The smallest shift of a numerical feature, in standard deviations of a normal, that a window shows within `minutes`
/// of its beginning in 95 of 100 cases, when the window has `entities` of steady traffic and is compared with `rows`.
/// None where no shift is seen in that time, as with too few entities.
///
/// After `minutes` of a window of length w the share min(1, minutes/w) of it is of the changed traffic. With the error
/// e = √((1/n + 1/N)/12), a shift is seen when its effect times that share is 1.645 e over both the gate and z·e.
#[must_use]
pub fn sensitivity(
    judge: &Judge,
    column: usize,
    window: Window,
    entities: u64,
    rows: u64,
    minutes: u32,
) -> Option<f64> {
    if entities < judge.min_entities || entities == 0 || rows == 0 {
        return None;
    }
    let changed = (f64::from(minutes) / f64::from(window.minutes())).min(1.0);
    let error = ((1.0 / entities as f64 + 1.0 / rows as f64) / 12.0).sqrt();
    let least = judge.gates(column).location.max(judge.threshold(window) * error) + POWER_Z * error;
    let effect = least / changed;
    (effect < 0.5).then(|| SQRT_2 * norm_ppf(0.5 + effect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeatureReference, Limits, Reference};

    #[test]
    fn more_entities_and_more_time_show_less() {
        let column = FeatureReference::numerical("x", (0..7_000).map(f64::from).collect());
        let judge = Judge::new(&Reference::new(vec![column], vec![]), &Limits::default());
        let of = |window, entities, minutes| sensitivity(&judge, 0, window, entities, 7_000, minutes);
        assert_eq!(of(Window::QuarterHour, 199, 15), None);
        let (few, many) = (of(Window::QuarterHour, 200, 15), of(Window::QuarterHour, 9_000, 15));
        assert!(few.unwrap() > 2.0 * many.unwrap(), "{few:?} {many:?}");
        assert!(many.unwrap() > 0.1 && many.unwrap() < 0.15, "{many:?}");
        // A day shows what happened a quarter of an hour ago only when everything changes.
        assert_eq!(of(Window::Day, 8_000, 15), None);
        assert!(of(Window::Hour, 8_000, 60) < of(Window::Hour, 8_000, 15));
    }
}
