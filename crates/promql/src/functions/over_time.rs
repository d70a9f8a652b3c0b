//! Aggregations over the samples of a range: `*_over_time`.

use crate::eval::grid::ABSENT;
use crate::eval::quantile::quantile;
use crate::eval::window::Window;
use crate::kahan::{self, Mean};

pub(super) fn sum_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() {
        return ABSENT;
    }
    let (mut sum, mut compensation) = (0.0, 0.0);
    for &value in window.values {
        kahan::add(value, &mut sum, &mut compensation);
    }
    if sum.is_infinite() { sum } else { sum + compensation }
}

pub(super) fn avg_over_time(window: &mut Window) -> f64 {
    let mut mean = Mean::EMPTY;
    for &value in window.values {
        mean.add(value);
    }
    if mean.is_empty() { ABSENT } else { mean.get() }
}

pub(super) fn count_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() { ABSENT } else { window.values.len() as f64 }
}

pub(super) fn present_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() { ABSENT } else { 1.0 }
}

pub(super) fn first_over_time(window: &mut Window) -> f64 {
    window.values.first().copied().unwrap_or(ABSENT)
}

pub(super) fn last_over_time(window: &mut Window) -> f64 {
    window.values.last().copied().unwrap_or(ABSENT)
}

pub(super) fn ts_of_first_over_time(window: &mut Window) -> f64 {
    window.times.first().map_or(ABSENT, |&time| time as f64 / 1000.0)
}

pub(super) fn ts_of_last_over_time(window: &mut Window) -> f64 {
    window.times.last().map_or(ABSENT, |&time| time as f64 / 1000.0)
}

pub(super) fn max_over_time(window: &mut Window) -> f64 {
    extreme(window, |value, best| value > best).map_or(ABSENT, |at| window.values[at])
}

pub(super) fn min_over_time(window: &mut Window) -> f64 {
    extreme(window, |value, best| value < best).map_or(ABSENT, |at| window.values[at])
}

pub(super) fn ts_of_max_over_time(window: &mut Window) -> f64 {
    extreme(window, |value, best| value >= best).map_or(ABSENT, |at| window.times[at] as f64 / 1000.0)
}

pub(super) fn ts_of_min_over_time(window: &mut Window) -> f64 {
    extreme(window, |value, best| value <= best).map_or(ABSENT, |at| window.times[at] as f64 / 1000.0)
}

/// The place of the last value that is better than all before; anything is better than NaN.
fn extreme(window: &Window, better: impl Fn(f64, f64) -> bool) -> Option<usize> {
    let mut best = 0;
    for (at, &value) in window.values.iter().enumerate() {
        if better(value, window.values[best]) || window.values[best].is_nan() {
            best = at;
        }
    }
    (!window.values.is_empty()).then_some(best)
}

pub(super) fn stdvar_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() {
        return ABSENT;
    }
    let (mut mean, mut mean_compensation, mut squares, mut squares_compensation) = (0.0, 0.0, 0.0, 0.0);
    let mut count = 0.0;
    for &value in window.values {
        count += 1.0;
        let delta = value - (mean + mean_compensation);
        kahan::add(delta / count, &mut mean, &mut mean_compensation);
        kahan::add(delta * (value - (mean + mean_compensation)), &mut squares, &mut squares_compensation);
    }
    (squares + squares_compensation) / count
}

pub(super) fn stddev_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() { ABSENT } else { stdvar_over_time(window).sqrt() }
}

pub(super) fn quantile_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() {
        return ABSENT;
    }
    window.scratch.clear();
    window.scratch.extend_from_slice(window.values);
    quantile(window.params[0], window.scratch)
}

/// Median of the distances from the median; NaN if any sample is.
pub(super) fn mad_over_time(window: &mut Window) -> f64 {
    if window.values.is_empty() {
        return ABSENT;
    }
    if window.values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    window.scratch.clear();
    window.scratch.extend_from_slice(window.values);
    let median = quantile(0.5, window.scratch);
    for value in window.scratch.iter_mut() {
        *value = (*value - median).abs();
    }
    quantile(0.5, window.scratch)
}
