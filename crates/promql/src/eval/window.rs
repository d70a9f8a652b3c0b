//! The samples that a function of a range vector sees at one step.

use std::sync::Arc;

use streamflow_histogram::{Histogram, unboxed};
use streamflow_tsdb::NO_START;

use crate::annotations::Annotation;
use crate::ast::{Extended, Span};
use crate::eval::RunningQuery;
use crate::eval::starts::{began_anew, overlaps};

/// One step of one series. Bounds and times are milliseconds since 1970.
pub(crate) struct Window<'a> {
    /// Ascending; in `(start, end]`, or with some more on both sides where the selector is extended.
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Time of the evaluation; differs from `end` by offsets and `@`.
    pub(crate) time: i64,
    /// The function's scalar arguments at this step.
    pub(crate) params: &'a [f64],
    /// Start timestamps of the samples; empty where none is known.
    pub(crate) starts: &'a [i64],
    /// Places in `values`, counted from `first`, before which a counter was reset.
    pub(crate) resets: &'a [usize],
    pub(crate) first: usize,
    pub(crate) extended: Option<Extended>,
    /// For functions that sort; holds anything between calls.
    pub(crate) scratch: &'a mut Vec<f64>,
}

impl Window<'_> {
    /// Length of the range in seconds, rounded as Go's `Duration.Seconds` does.
    pub(crate) fn seconds(&self) -> f64 {
        crate::functions::seconds(self.end - self.start)
    }

    /// The values before the places where a counter was reset, in order.
    pub(crate) fn before_resets(&self) -> impl Iterator<Item = f64> {
        self.resets.iter().map(|&place| self.values[place - self.first - 1])
    }

    /// Tells whether the sample at a place, which is not the first, has a start that says that a counter began anew.
    #[inline]
    pub(crate) fn began_anew(&self, place: usize) -> bool {
        began_anew_at(self.times, self.starts, place)
    }

    /// When the counter of the first sample was zero, if that is known and lies within the range.
    #[inline]
    pub(crate) fn zero_at(&self) -> Option<i64> {
        zero_at(self.times, self.starts, self.start)
    }
}

fn began_anew_at(times: &[i64], starts: &[i64], place: usize) -> bool {
    !starts.is_empty() && began_anew((times[place - 1], starts[place - 1]), (times[place], starts[place]))
}

fn zero_at(times: &[i64], starts: &[i64], range_start: i64) -> Option<i64> {
    let (time, start) = (*times.first()?, *starts.first()?);
    (start != NO_START && start > range_start && start < time).then_some(start)
}

/// One step of one series that has histograms in its window.
pub(crate) struct NativeWindow<'a> {
    pub(crate) query: &'a RunningQuery<'a>,
    /// Name of the metric, and where the range stands, for remarks.
    pub(crate) metric: &'a str,
    pub(crate) span: Span,
    /// As of [`Window`].
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    pub(crate) starts: &'a [i64],
    pub(crate) histograms: &'a [Arc<Histogram>],
    /// True if what a histogram knows of a reset is about the one before it here.
    pub(crate) trusts_hints: bool,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) extended: Option<Extended>,
}

impl<'a> NativeWindow<'a> {
    /// The histogram at a place; `None` for a number.
    pub(crate) fn histogram(&self, place: usize) -> Option<&'a Arc<Histogram>> {
        unboxed(self.values[place]).and_then(|place| self.histograms.get(place))
    }

    /// All samples, if all are histograms; numbers among them are remarked on.
    pub(crate) fn only_histograms(&self) -> Option<Vec<&'a Arc<Histogram>>> {
        let all: Option<Vec<_>> = (0..self.values.len()).map(|place| self.histogram(place)).collect();
        if all.is_none() {
            self.remark(Annotation::MixedSamples(self.metric.to_owned()));
        }
        all
    }

    pub(crate) fn was_reset(&self, now: &Histogram, before: &Histogram) -> bool {
        if self.trusts_hints { now.was_reset_since(before) } else { now.fell_since(before) }
    }

    /// As [`Window::began_anew`].
    pub(crate) fn began_anew(&self, place: usize) -> bool {
        began_anew_at(self.times, self.starts, place)
    }

    /// As [`Window::zero_at`].
    pub(crate) fn zero_at(&self) -> Option<i64> {
        zero_at(self.times, self.starts, self.start)
    }

    pub(crate) fn remark(&self, annotation: Annotation) {
        self.query.annotate(annotation, self.span);
    }
}

/// Samples of one series without stale markers, and a window that slides over them.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) times: Vec<i64>,
    /// Numbers, and places in the list of histograms.
    pub(crate) values: Vec<f64>,
    pub(crate) histograms: Vec<Arc<Histogram>>,
    /// Start timestamps of the samples; empty where none is known.
    pub(crate) starts: Vec<i64>,
    /// True if the samples are those of a stored series, without any left out.
    pub(crate) trusts_hints: bool,
    pub(crate) resets: Vec<usize>,
    /// Places of samples whose start overlaps with the sample before.
    pub(crate) overlaps: Vec<usize>,
}

/// Values that are looked at together.
const BLOCK: usize = 64;

impl History {
    pub(crate) fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.histograms.clear();
        self.starts.clear();
    }

    /// Finds the places where the value falls or a start is another, which counters treat as resets, and those where starts
    /// overlap.
    pub(crate) fn find_resets(&mut self) {
        self.resets.clear();
        self.overlaps.clear();
        let (times, values, starts) = (&self.times, &self.values, &self.starts);
        let falls = |place: usize| values[place] < values[place - 1];
        if starts.is_empty() {
            // Whether any value falls is found in blocks, many at a time; most counters never fall.
            for (block, pairs) in values[..values.len().saturating_sub(1)].chunks(BLOCK).enumerate() {
                let first = block * BLOCK + 1;
                let after = &values[first..first + pairs.len()];
                if pairs.iter().zip(after).fold(false, |any, (before, now)| any | (now < before)) {
                    self.resets.extend((first..first + pairs.len()).filter(|&place| falls(place)));
                }
            }
            return;
        }
        let is_reset = |&place: &usize| falls(place) || began_anew_at(times, starts, place);
        self.resets.extend((1..values.len()).filter(is_reset));
        let started = |place: usize| (times[place], starts[place]);
        self.overlaps.extend((1..values.len()).filter(|&place| overlaps(started(place - 1), started(place))));
    }

    /// Tells whether starts overlap between two of `count` samples from `first` on. Needs [`History::find_resets`].
    pub(crate) fn overlaps_within(&self, first: usize, count: usize) -> bool {
        let next = self.overlaps.partition_point(|&place| place <= first);
        self.overlaps.get(next).is_some_and(|&place| place < first + count)
    }

    pub(crate) fn slide(&self) -> Slide<'_> {
        Slide { history: self, lower: 0, upper: 0, stride: 0, lower_reset: 0, upper_reset: 0 }
    }
}

/// Bounds of a window that only move forward, found without searching.
pub(crate) struct Slide<'a> {
    history: &'a History,
    lower: usize,
    upper: usize,
    /// By how much the upper bound was moved last.
    stride: usize,
    lower_reset: usize,
    upper_reset: usize,
}

impl<'a> Slide<'a> {
    /// The samples in `(start, end]`: where they begin, their times and values.
    #[inline]
    pub(crate) fn to(&mut self, start: i64, end: i64) -> (usize, &'a [i64], &'a [f64]) {
        let times = &self.history.times;
        let before = self.upper;
        self.upper = moved(times, (before, self.stride), end);
        self.stride = self.upper - before;
        self.lower = moved(&times[..self.upper], (self.lower, self.stride), start);
        (self.lower, &times[self.lower..self.upper], &self.history.values[self.lower..self.upper])
    }

    /// The resets between two samples of the current window; mostly there is none at all. Needs [`History::find_resets`].
    #[inline]
    pub(crate) fn resets(&mut self) -> &'a [usize] {
        let resets = &self.history.resets;
        if resets.is_empty() {
            return &[];
        }
        while self.upper_reset < resets.len() && resets[self.upper_reset] < self.upper {
            self.upper_reset += 1;
        }
        while self.lower_reset < self.upper_reset && resets[self.lower_reset] <= self.lower {
            self.lower_reset += 1;
        }
        &resets[self.lower_reset..self.upper_reset]
    }
}

/// The first place from `from` on whose time is after `bound`. Most samples are equally far apart: `stride` places on is where
/// it lies then.
#[inline]
fn moved(times: &[i64], (from, stride): (usize, usize), bound: i64) -> usize {
    let is_before = |place: usize| times.get(place).is_some_and(|&time| time <= bound);
    let mut place = from;
    if stride > 0 && is_before(from + stride - 1) {
        place += stride;
    }
    while is_before(place) {
        place += 1;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_left_open() {
        let history =
            History { times: vec![0, 10, 20, 30], values: vec![1.0, 2.0, 1.0, 0.0], ..History::default() };
        let mut slide = history.slide();
        assert_eq!(slide.to(-5, 10).1, [0, 10]);
        assert_eq!(slide.to(0, 20).1, [10, 20]);
        assert_eq!(slide.to(25, 29).1, [] as [i64; 0]);
        assert_eq!(slide.to(29, 40).1, [30]);
    }

    #[test]
    fn resets_lie_between_two_samples_of_the_window() {
        let mut history =
            History { times: vec![0, 10, 20, 30], values: vec![1.0, 2.0, 1.0, 0.0], ..History::default() };
        history.find_resets();
        let mut slide = history.slide();
        slide.to(-5, 20);
        assert_eq!(slide.resets(), [2]);
        slide.to(5, 30);
        assert_eq!(slide.resets(), [2, 3]);
        slide.to(15, 30);
        assert_eq!(slide.resets(), [3]);
    }
}
