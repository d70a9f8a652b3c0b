//! The values at the bounds of an extended range (`anchored`, `smoothed`).

use crate::ast::Extended;
use crate::eval::window::Window;

/// How a value that falls is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// The counter was reset and began at zero.
    Counter,
    /// The value went down.
    Gauge,
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

    pub(crate) fn left(&self, window: &Window, kind: MetricKind) -> f64 {
        let (times, values) = (window.times, window.values);
        if self.smoothed && times[self.first] < window.start && self.first + 1 < times.len() {
            return interpolate(times, values, self.first, window.start, kind);
        }
        values[self.first]
    }

    pub(crate) fn right(&self, window: &Window, kind: MetricKind) -> f64 {
        let (times, values) = (window.times, window.values);
        if self.smoothed && self.last > 0 && times[self.last] > window.end {
            return interpolate(times, values, self.last - 1, window.end, kind);
        }
        values[self.last]
    }
}

/// The value at `time` on the line from sample `at` to the next; a counter that fell begins at zero.
fn interpolate(times: &[i64], values: &[f64], at: usize, time: i64, kind: MetricKind) -> f64 {
    let (mut from, to) = (values[at], values[at + 1]);
    if kind == MetricKind::Counter && to < from {
        from = 0.0;
    }
    from + (to - from) * (time - times[at]) as f64 / (times[at + 1] - times[at]) as f64
}
