//! Functions of counters and of differences: `rate`, `increase`, `delta`, `irate`, `idelta`, `resets`, `changes`.
//!
//! Source: the extrapolation rules of Prometheus 3.x; `anchored` and `smoothed` are its experimental selectors. Where samples have
//! start timestamps, those say when a counter began, and that it began anew.

use crate::ast::Extended;
use crate::eval::ends::{Ends, MetricKind};
use crate::eval::grid::ABSENT;
use crate::eval::window::{Slide, Window};

/// The length of time that a slope is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Second,
    Range,
}

pub(super) fn rate(window: &mut Window) -> f64 {
    slope(window, MetricKind::Counter, Per::Second)
}

pub(super) fn increase(window: &mut Window) -> f64 {
    slope(window, MetricKind::Counter, Per::Range)
}

pub(super) fn delta(window: &mut Window) -> f64 {
    slope(window, MetricKind::Gauge, Per::Range)
}

fn slope(window: &Window, kind: MetricKind, per: Per) -> f64 {
    if window.extended.is_some() {
        return bounded_slope(window, kind, per);
    }
    let (times, values) = (window.times, window.values);
    let count = times.len();
    let zero_at = if kind == MetricKind::Counter { window.zero_at() } else { None };
    if count < 2 && zero_at.is_none() {
        return ABSENT;
    }
    let before = if zero_at.is_some() { 0.0 } else { values[0] };
    let mut result = values[count - 1] - before;
    if kind == MetricKind::Counter {
        for before in window.before_resets() {
            result += before;
        }
    }
    let mut factor = match zero_at {
        Some(zero) => extrapolation_from(zero, times, window.end),
        None => {
            let is_counter = kind == MetricKind::Counter;
            let to_zero = (is_counter && result > 0.0 && values[0] >= 0.0).then(|| values[0] / result);
            extrapolation(times, (window.start, window.end), to_zero)
        }
    };
    if per == Per::Second {
        factor /= window.seconds();
    }
    result * factor
}

/// `rate` or `increase` over ranges that follow one another, of numbers without start timestamps: what [`rate`] and
/// [`increase`] give for each, without a window for it. A dashboard asks for millions.
pub(crate) fn slopes(
    slide: &mut Slide,
    per: Per,
    (ranges, range_ms): (impl Iterator<Item = (i64, i64)>, i64),
    out: &mut [f64],
) {
    let seconds = seconds(range_ms);
    for (cell, range) in out.iter_mut().zip(ranges) {
        let (first, times, values) = slide.to(range.0, range.1);
        let ([first_value, .., last_value], false) = (values, times.is_empty()) else {
            *cell = ABSENT;
            continue;
        };
        let mut result = last_value - first_value;
        for &reset in slide.resets() {
            result += values[reset - first - 1];
        }
        let to_zero = (result > 0.0 && *first_value >= 0.0).then(|| first_value / result);
        let mut factor = extrapolation(times, range, to_zero);
        if per == Per::Second {
            factor /= seconds;
        }
        *cell = result * factor;
    }
}

/// By how much a difference between the first and the last sample, at least two, grows over the whole range. `to_zero`
/// is, for a counter, the share of the difference that the first sample had before: so much earlier it was zero.
#[inline]
pub(super) fn extrapolation(times: &[i64], range: (i64, i64), to_zero: Option<f64>) -> f64 {
    extrapolated((times[0], times[times.len() - 1]), times.len() as u64, range, to_zero)
}

/// As [`extrapolation`], of `count` samples of which the first and the last time are known.
#[inline]
pub(super) fn extrapolated(
    (first, last): (i64, i64),
    count: u64,
    (start, end): (i64, i64),
    to_zero: Option<f64>,
) -> f64 {
    let sampled = (last - first) as f64 / 1000.0;
    let mut to_start = (first - start) as f64 / 1000.0;
    let mut to_end = (end - last) as f64 / 1000.0;
    let between = sampled / (count - 1) as f64;
    // Samples this close to a bound are taken to reach it; farther ones get half an interval.
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if let Some(share) = to_zero {
        // A counter is not extrapolated to below zero.
        to_start = to_start.min(sampled * share);
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    (sampled + to_start + to_end) / sampled
}

/// As [`extrapolation`], of a counter that is known to have been zero at a time in the range, before all its samples: there may
/// be a single one.
pub(super) fn extrapolation_from(zero: i64, times: &[i64], end: i64) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let sampled = (last - zero) as f64 / 1000.0;
    let between = (last - first) as f64 / 1000.0 / (times.len() - 1).max(1) as f64;
    let mut to_end = (end - last) as f64 / 1000.0;
    if to_end >= between * 1.1 {
        to_end = between / 2.0;
    }
    (sampled + to_end) / sampled
}

/// A length in seconds, rounded as Go's `Duration.Seconds` does.
pub(crate) fn seconds(range_ms: i64) -> f64 {
    (range_ms / 1000) as f64 + (range_ms % 1000) as f64 / 1000.0
}

/// The slope between values at exactly both bounds (`anchored`, `smoothed`).
fn bounded_slope(window: &Window, kind: MetricKind, per: Per) -> f64 {
    let Some(mut ends) = Ends::find(window) else { return ABSENT };
    let left = ends.left(window, kind);
    let right = ends.right(window, kind);
    let mut result = right - left;
    if kind == MetricKind::Counter {
        if window.times[ends.first] <= window.start {
            ends.first += 1;
        }
        let upto = if window.times[ends.last] >= window.end { ends.last } else { ends.last + 1 };
        let mut previous = left;
        for &value in window.values.get(ends.first..upto).unwrap_or_default() {
            if value < previous {
                result += previous;
            }
            previous = value;
        }
        if right < previous {
            result += previous;
        }
    }
    if per == Per::Second {
        result /= window.seconds();
    }
    result
}

pub(super) fn irate(window: &mut Window) -> f64 {
    last_difference(window, MetricKind::Counter)
}

pub(super) fn idelta(window: &mut Window) -> f64 {
    last_difference(window, MetricKind::Gauge)
}

/// The difference of the last two samples, of a counter per second.
fn last_difference(window: &Window, kind: MetricKind) -> f64 {
    let [.., before, last] = *window.values else { return ABSENT };
    let [.., time_before, time_last] = *window.times else { return ABSENT };
    let interval = time_last - time_before;
    if interval == 0 {
        return ABSENT;
    }
    match kind {
        MetricKind::Gauge => last - before,
        MetricKind::Counter => {
            // After a reset the counter began at zero.
            let was_reset = last < before || window.began_anew(window.times.len() - 1);
            let increase = if was_reset { last } else { last - before };
            increase / (interval as f64 / 1000.0)
        }
    }
}

pub(super) fn resets(window: &mut Window) -> f64 {
    count_pairs(window, |place| window.values[place] < window.values[place - 1] || window.began_anew(place))
}

pub(super) fn changes(window: &mut Window) -> f64 {
    count_pairs(window, |place| {
        let (before, value) = (window.values[place - 1], window.values[place]);
        value != before && !(value.is_nan() && before.is_nan())
    })
}

/// How many samples count, beside the one before them.
fn count_pairs(window: &Window, counts: impl Fn(usize) -> bool) -> f64 {
    let mut first = 0;
    if window.extended == Some(Extended::Anchored) {
        let Some(ends) = Ends::find(window) else { return ABSENT };
        first = ends.first;
    }
    if window.values.len() <= first {
        return ABSENT;
    }
    (first + 1..window.values.len()).filter(|&place| counts(place)).count() as f64
}
