//! Functions of counters and of differences: `rate`, `increase`, `delta`, `irate`, `idelta`, `resets`, `changes`.
//!
//! Source: the extrapolation rules of Prometheus 3.x; `anchored` and `smoothed` are its experimental selectors.

use crate::ast::Extended;
use crate::eval::grid::ABSENT;
use crate::eval::window::Window;

pub(super) fn rate(window: &mut Window) -> f64 {
    slope(window, true, true)
}

pub(super) fn increase(window: &mut Window) -> f64 {
    slope(window, true, false)
}

pub(super) fn delta(window: &mut Window) -> f64 {
    slope(window, false, false)
}

fn slope(window: &Window, counter: bool, per_second: bool) -> f64 {
    if window.extended.is_some() {
        return bounded_slope(window, counter, per_second);
    }
    let (times, values) = (window.times, window.values);
    let count = times.len();
    if count < 2 {
        return ABSENT;
    }
    let mut result = values[count - 1] - values[0];
    if counter {
        for before in window.before_resets() {
            result += before;
        }
    }
    let sampled = (times[count - 1] - times[0]) as f64 / 1000.0;
    let mut to_start = (times[0] - window.start) as f64 / 1000.0;
    let mut to_end = (window.end - times[count - 1]) as f64 / 1000.0;
    let between = sampled / (count - 1) as f64;
    // Samples this close to a bound are taken to reach it; farther ones get half an interval.
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if counter && result > 0.0 && values[0] >= 0.0 {
        // A counter is not extrapolated to below zero.
        to_start = to_start.min(sampled * (values[0] / result));
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= window.seconds();
    }
    result * factor
}

/// The slope between values at exactly both bounds (`anchored`, `smoothed`).
fn bounded_slope(window: &Window, counter: bool, per_second: bool) -> f64 {
    let Some(mut ends) = Ends::find(window) else { return ABSENT };
    let left = ends.left(window, counter);
    let right = ends.right(window, counter);
    let mut result = right - left;
    if counter {
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
    if per_second {
        result /= window.seconds();
    }
    result
}

/// Which samples of an extended window stand for its bounds.
pub(crate) struct Ends {
    pub(crate) first: usize,
    pub(crate) last: usize,
    smoothed: bool,
}

impl Ends {
    /// `None` where no sample lies after the start, or, smoothed, none up to the end.
    pub(crate) fn find(window: &Window) -> Option<Self> {
        let times = window.times;
        let mut last = times.len().checked_sub(1)?;
        let smoothed = window.extended == Some(Extended::Smoothed);
        let first = times[..last].partition_point(|&time| time <= window.start).saturating_sub(1);
        if smoothed {
            last = times[..last].partition_point(|&time| time < window.end);
        }
        let outside = times[last] <= window.start || (smoothed && times[first] > window.end);
        (!outside).then_some(Self { first, last, smoothed })
    }

    pub(crate) fn left(&self, window: &Window, counter: bool) -> f64 {
        let (times, values) = (window.times, window.values);
        if self.smoothed && times[self.first] < window.start && self.first + 1 < times.len() {
            return interpolate(times, values, self.first, window.start, counter);
        }
        values[self.first]
    }

    pub(crate) fn right(&self, window: &Window, counter: bool) -> f64 {
        let (times, values) = (window.times, window.values);
        if self.smoothed && self.last > 0 && times[self.last] > window.end {
            return interpolate(times, values, self.last - 1, window.end, counter);
        }
        values[self.last]
    }
}

/// The value at `time` on the line from sample `at` to the next; a counter that fell begins at zero.
fn interpolate(times: &[i64], values: &[f64], at: usize, time: i64, counter: bool) -> f64 {
    let (mut from, to) = (values[at], values[at + 1]);
    if counter && to < from {
        from = 0.0;
    }
    from + (to - from) * (time - times[at]) as f64 / (times[at + 1] - times[at]) as f64
}

pub(super) fn irate(window: &mut Window) -> f64 {
    last_difference(window, true)
}

pub(super) fn idelta(window: &mut Window) -> f64 {
    last_difference(window, false)
}

fn last_difference(window: &Window, rate: bool) -> f64 {
    let [.., before, last] = *window.values else { return ABSENT };
    let [.., time_before, time_last] = *window.times else { return ABSENT };
    let interval = time_last - time_before;
    if interval == 0 {
        return ABSENT;
    }
    // After a reset the counter began at zero.
    let difference = if rate && last < before { last } else { last - before };
    if rate { difference / (interval as f64 / 1000.0) } else { difference }
}

pub(super) fn resets(window: &mut Window) -> f64 {
    count_pairs(window, |before, value| value < before)
}

pub(super) fn changes(window: &mut Window) -> f64 {
    count_pairs(window, |before, value| value != before && !(value.is_nan() && before.is_nan()))
}

fn count_pairs(window: &Window, counts: impl Fn(f64, f64) -> bool) -> f64 {
    let mut values = window.values;
    if window.extended == Some(Extended::Anchored) {
        let Some(ends) = Ends::find(window) else { return ABSENT };
        values = &values[ends.first..];
    }
    if values.is_empty() {
        return ABSENT;
    }
    values.windows(2).filter(|pair| counts(pair[0], pair[1])).count() as f64
}
