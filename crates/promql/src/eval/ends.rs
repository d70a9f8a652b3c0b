//! The values at the bounds of an extended range (`anchored`, `smoothed`).

use std::sync::Arc;

use streamflow_histogram::{Histogram, MixedSchemas, ResetHint};

use crate::annotations::Annotation;
use crate::ast::Extended;
use crate::eval::grid::Sample;
use crate::eval::selector::Smoothing;
use crate::eval::window::{History, NativeWindow, Window};

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
    pub(crate) smoothed: bool,
}

impl Ends {
    /// `None` where no sample lies after the start, or, smoothed, none up to the end.
    pub(crate) fn find(window: &Window) -> Option<Self> {
        Self::among(window.times, (window.start, window.end), window.extended)
    }

    /// As [`Ends::find`], among these times.
    pub(crate) fn among(times: &[i64], (start, end): (i64, i64), extended: Option<Extended>) -> Option<Self> {
        let mut last = times.len().checked_sub(1)?;
        let smoothed = extended == Some(Extended::Smoothed);
        let first = times[..last].partition_point(|&time| time <= start).saturating_sub(1);
        if smoothed {
            last = times[..last].partition_point(|&time| time < end);
        }
        let outside = times[last] <= start || (smoothed && times[first] > end);
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

impl<'a> NativeWindow<'a> {
    /// The histogram at `time` on the line from the one at a place to the next; a counter that was reset begins at zero.
    ///
    /// # Errors
    /// When the two have nothing in common. Where either is no histogram it is as if it were empty.
    pub(crate) fn interpolated(
        &self,
        (place, time): (usize, i64),
        kind: MetricKind,
    ) -> Result<Histogram, MixedSchemas> {
        let (Some(before), Some(after)) = (self.histogram(place), self.histogram(place + 1)) else {
            return Ok(Histogram::default());
        };
        let (from, to) = (self.times[place], self.times[place + 1]);
        let share = (time - from) as f64 / (to - from) as f64;
        if before.has_custom_bounds() != after.has_custom_bounds() {
            return Err(MixedSchemas);
        }
        if kind == MetricKind::Counter && after.fell_since(before) {
            return Ok(after.times(share));
        }
        let rise = after.minus(before)?.0;
        Ok(Histogram { reset: before.reset, ..before.plus(&rise.times(share))?.0 })
    }

    /// The sample at a time of a smoothed selector, where `after` is the first place that is not before it.
    pub(crate) fn smoothed_at(&self, after: usize, time: i64) -> Option<Sample> {
        let histograms = self.only_histograms()?;
        if histograms.get(after).is_some() && self.times[after] == time {
            return Some(Sample::Histogram(Arc::clone(histograms[after])));
        }
        let before = after.checked_sub(1)?;
        if after == histograms.len() {
            return Some(Sample::Histogram(Arc::clone(histograms[before])));
        }
        let gauge =
            histograms[before].reset == ResetHint::Gauge && histograms[after].reset == ResetHint::Gauge;
        let kind = if gauge { MetricKind::Gauge } else { MetricKind::Counter };
        match self.interpolated((before, time), kind) {
            Ok(histogram) => Some(Sample::Histogram(Arc::new(histogram))),
            Err(MixedSchemas) => {
                self.remark(Annotation::MixedSchemas(self.metric.to_owned()));
                None
            }
        }
    }
}

impl<'q> Smoothing<'q> {
    pub(crate) fn window<'a>(
        &'a self,
        history: &'a History,
        (times, values): (&'a [i64], &'a [f64]),
        time: i64,
    ) -> NativeWindow<'a> {
        NativeWindow {
            query: self.query,
            metric: self.metric,
            span: self.span,
            times,
            values,
            histograms: &history.histograms,
            starts: &[],
            trusts_hints: history.trusts_hints,
            start: time,
            end: time,
            extended: Some(Extended::Smoothed),
        }
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
