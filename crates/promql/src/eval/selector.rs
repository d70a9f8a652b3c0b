//! Which samples a selector reads at each step.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use streamflow_histogram::{ResetHint, unboxed};
use streamflow_tsdb::{Samples, Series, is_stale};

use crate::ast::{At, DurationExpr, Extended, Modifiers, Span, VectorSelector};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::ends::{Ends, MetricKind};
use crate::eval::grid::{ABSENT, Column, Grid};
use crate::eval::pipeline::Scratch;
use crate::eval::ranges::Ranges;
use crate::eval::window::{History, Window};
use crate::value::RangeSeries;

/// The time that a selector looks at, given the time of evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) at_ms: Option<i64>,
    pub(crate) offset_ms: i64,
}

impl Reading {
    #[inline]
    pub(crate) fn time(&self, evaluation_ms: i64) -> i64 {
        self.at_ms.unwrap_or(evaluation_ms).saturating_sub(self.offset_ms)
    }
}

impl RunningQuery<'_> {
    pub(crate) fn reading(&self, modifiers: &Modifiers) -> Result<Reading, Error> {
        let at_ms = modifiers.at.map(|at| match at {
            At::Timestamp(ms) => ms,
            At::Start => self.whole.start_ms,
            At::End => self.whole.end_ms,
        });
        let offset_ms = match &modifiers.offset {
            Some(offset) => self.whole.duration_ms(offset)?,
            None => 0,
        };
        Ok(Reading { at_ms, offset_ms })
    }

    /// The series of a selector with the samples after `from_ms` up to `to_ms`, and what is left of those that are gone: as
    /// fits steps of `step_ms` and ranges of `range_ms`.
    pub(crate) fn select(
        &self,
        selector: &VectorSelector,
        (from_ms, to_ms): (i64, i64),
        (step_ms, range_ms): (i64, i64),
    ) -> Result<Vec<Series>, Error> {
        self.check()?;
        let resolutions = self.options.max_source_resolution.preferred(step_ms, range_ms);
        self.db
            .select_with_older(&selector.matchers, (from_ms.saturating_add(1), to_ms), resolutions)
            .map_err(|error| Error::Storage(format!("expanding series: {error}")))
    }

    /// Decodes the samples of a series, and what is known of those that are gone at single times. `held` says of each whether
    /// it holds until the next one; it is empty where all samples are there.
    pub(crate) fn read_points(
        &self,
        (series, span): (&Series, Span),
        finds_resets: bool,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        scratch.held.clear();
        if !self.read(series, finds_resets, None, scratch)? {
            return Ok(());
        }
        self.note_older(scratch.older.resolutions(), span);
        scratch.older.points(&mut scratch.samples, &mut scratch.held);
        Ok(())
    }

    /// Decodes the samples of a series, and what is left of those that are gone; tells whether there is such. `finds_resets` as of
    /// [`super::analysis::Analysis::finds_resets`]; with `ranges` only histograms at their
    /// ends are looked at, and those around counter resets.
    pub(crate) fn read(
        &self,
        series: &Series,
        finds_resets: bool,
        ranges: Option<Ranges>,
        Scratch { samples, older, .. }: &mut Scratch,
    ) -> Result<bool, Error> {
        let ranges = ranges.filter(|_| !finds_resets && !self.options.start_timestamps);
        let read = match (series.has_older(), ranges) {
            (false, None) => series.read(samples),
            (false, Some(ranges)) => series.read_wanted(samples, |times| ranges.end_at(times)),
            (true, _) => series.read_with_older(samples, older),
        };
        read.map_err(|error| Error::Storage(error.to_string()))?;
        let is_older = series.has_older() && !older.is_empty();
        let others = if is_older { older.rows.len() + older.histograms.len() } else { 0 };
        self.count_read(samples.timestamps.len() + others);
        self.aggregates_read.fetch_add(others as u64, Ordering::Relaxed);
        if !self.options.start_timestamps {
            samples.starts.clear();
        }
        for place in 0..samples.histograms.len() {
            let hint = samples.histograms[place].reset;
            let known = match hint {
                ResetHint::Unknown if finds_resets && place > 0 => {
                    let (before, now) = (&samples.histograms[place - 1], &samples.histograms[place]);
                    if now.fell_since(before) { ResetHint::Reset } else { ResetHint::NoReset }
                }
                // As Prometheus reads a reset from its chunks: it is left to those who compare.
                ResetHint::Reset if !finds_resets => ResetHint::Unknown,
                _ => continue,
            };
            Arc::make_mut(&mut samples.histograms[place]).reset = known;
        }
        Ok(is_older)
    }
}

impl RunningQuery<'_> {
    /// The stored samples in the range that ends at `time_ms`.
    pub(crate) fn raw_matrix(
        &self,
        (selector, span): (&VectorSelector, Span),
        range: &DurationExpr,
        time_ms: i64,
    ) -> Result<Vec<RangeSeries>, Error> {
        let range_ms = self.whole.positive_ms(range)?;
        let end = self.reading(&selector.modifiers)?.time(time_ms);
        let start = end.saturating_sub(range_ms);
        let (before, after) = margins(selector.extended, self.options.lookback_ms);
        let mut matrix = Vec::new();
        let mut scratch = Scratch::default();
        let mut history = History::default();
        let mut charges = Vec::new();
        let bounds = (start.saturating_sub(before), end.saturating_add(after));
        for series in self.select(selector, bounds, (0, range_ms))? {
            self.check()?;
            self.read_points((&series, span), false, &mut scratch)?;
            without_stale(&mut scratch.samples, &mut history);
            let mut samples = Samples {
                timestamps: history.times.clone(),
                values: history.values.clone(),
                histograms: history.histograms.clone(),
                starts: history.starts.clone(),
            };
            if selector.extended.is_some() {
                samples = bounded(&samples, (start, end), selector.extended);
            } else if !scratch.held.is_empty() {
                samples = inside(&samples, (start, end));
            }
            charges.push(self.budget.take(samples.values.len())?);
            if !samples.values.is_empty() {
                matrix.push(RangeSeries { labels: series.labels().clone(), samples });
            }
        }
        Ok(matrix)
    }
}

fn inside(samples: &Samples, (start, end): (i64, i64)) -> Samples {
    let mut inside = Samples::default();
    let samples = samples.values().filter(|&(time, _)| time > start && time <= end);
    samples.for_each(|(time, value)| inside.push_value(time, value));
    inside
}

/// The samples inside a range with one more at each of its ends.
fn bounded(samples: &Samples, (start, end): (i64, i64), extended: Option<Extended>) -> Samples {
    if !samples.histograms.is_empty() {
        // Histograms at the bounds are made by functions alone.
        return inside(samples, (start, end));
    }
    let window = Window {
        times: &samples.timestamps,
        values: &samples.values,
        start,
        end,
        time: end,
        params: &[],
        starts: &[],
        resets: &[],
        first: 0,
        extended,
        scratch: &mut Vec::new(),
    };
    let Some(ends) = Ends::find(&window) else { return Samples::default() };
    let mut found = Samples::default();
    found.push(start, ends.left(&window, MetricKind::Gauge));
    for (&time, &value) in samples.timestamps.iter().zip(&samples.values) {
        if time > start && time < end {
            found.push(time, value);
        }
    }
    found.push(end, ends.right(&window, MetricKind::Gauge));
    found
}

/// How far before and after a range an extended selector looks.
pub(crate) fn margins(extended: Option<Extended>, lookback_ms: i64) -> (i64, i64) {
    match extended {
        None => (0, 0),
        Some(Extended::Anchored) => (lookback_ms, 0),
        Some(Extended::Smoothed) => (lookback_ms, lookback_ms),
    }
}

/// What an instant selector takes of the sample it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    Value,
    /// The time of the sample, in seconds.
    Timestamp,
    /// As [`Take::Timestamp`] for a number; a histogram as it is.
    TimestampOfNumber,
    /// The start timestamp of the sample, in seconds; 0 where none is known.
    Start,
}

/// The last sample within the lookback at every step; none where that is a stale marker. One that is held does not become
/// too old: between it and the next one were samples that are gone.
pub(crate) fn read_instant(
    (samples, held): (&Samples, &[bool]),
    (reading, lookback_ms, take): (Reading, i64, Take),
    grid: Grid,
    out: &mut Column,
) {
    let times = &samples.timestamps;
    let mut next = 0;
    for (step, cell) in out.iter_mut().enumerate() {
        let time = reading.time(grid.time(step));
        while next < times.len() && times[next] <= time {
            next += 1;
        }
        *cell = ABSENT;
        if next > 0
            && (times[next - 1] > time.saturating_sub(lookback_ms)
                || held.get(next - 1).is_some_and(|held| *held))
            && !is_stale(samples.values[next - 1])
        {
            *cell = match take {
                Take::Value => samples.values[next - 1],
                Take::TimestampOfNumber if unboxed(samples.values[next - 1]).is_some() => {
                    samples.values[next - 1]
                }
                Take::Start => samples.start(next - 1) as f64 / 1000.0,
                Take::Timestamp | Take::TimestampOfNumber => times[next - 1] as f64 / 1000.0,
            };
        }
    }
    out.adopt(&samples.histograms);
}

/// For whom the values between samples are reckoned.
pub(crate) struct Smoothing<'q> {
    pub(crate) query: &'q RunningQuery<'q>,
    pub(crate) metric: &'q str,
    pub(crate) span: Span,
}

/// The value on the line between the samples around each step, both within the lookback; the last one where none
/// follows.
pub(crate) fn read_smoothed(
    history: &History,
    (reading, lookback_ms): (Reading, i64),
    grid: Grid,
    smoothing: &Smoothing,
    out: &mut Column,
) {
    let mut slide = history.slide();
    for step in 0..out.len() {
        let time = reading.time(grid.time(step));
        let (_, times, values) = slide.to(time.saturating_sub(lookback_ms), time.saturating_add(lookback_ms));
        let after = times.partition_point(|&sample| sample < time);
        if !history.histograms.is_empty() && values.iter().any(|&value| unboxed(value).is_some()) {
            let window = smoothing.window(history, (times, values), time);
            out.put(step, window.smoothed_at(after, time));
            continue;
        }
        out[step] = match (after.checked_sub(1), times.get(after)) {
            (_, Some(&exact)) if exact == time => values[after],
            (Some(before), Some(&following)) => {
                let share = (time - times[before]) as f64 / (following - times[before]) as f64;
                values[before] + (values[after] - values[before]) * share
            }
            (Some(before), None) => values[before],
            (None, _) => ABSENT,
        };
    }
}

/// Fills `history` with the samples that are no stale markers, and leaves something else in `samples`.
pub(crate) fn without_stale(samples: &mut Samples, history: &mut History) {
    history.clear();
    if samples.values.iter().fold(false, |any, &value| any | is_stale(value)) {
        let living = (0..samples.len()).filter(|&place| !is_stale(samples.values[place]));
        for place in living {
            history.times.push(samples.timestamps[place]);
            history.values.push(samples.values[place]);
            history.starts.extend(samples.starts.get(place));
        }
    } else {
        std::mem::swap(&mut history.times, &mut samples.timestamps);
        std::mem::swap(&mut history.values, &mut samples.values);
        std::mem::swap(&mut history.starts, &mut samples.starts);
    }
    std::mem::swap(&mut history.histograms, &mut samples.histograms);
    history.trusts_hints = true;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::grid::is_absent;
    use streamflow_tsdb::STALE_NAN;

    #[test]
    fn lookback_is_left_open_and_ends_at_stale_markers() {
        let samples = Samples {
            timestamps: vec![0, 10, 20, 30],
            values: vec![1.0, 2.0, STALE_NAN, 4.0],
            ..Samples::default()
        };
        let reading = Reading { at_ms: None, offset_ms: 0 };
        let mut out = Column::absent(6);
        read_instant((&samples, &[]), (reading, 15, Take::Value), Grid::every(10, -5, 45), &mut out);
        assert!(is_absent(out[0]) && is_absent(out[3]) && is_absent(out[5].min(ABSENT)));
        assert_eq!([out[1], out[2], out[4]], [1.0, 2.0, 4.0]);
        let mut edge = Column::absent(2);
        read_instant((&samples, &[]), (reading, 15, Take::Value), Grid::every(1, 44, 45), &mut edge);
        assert_eq!(edge[0], 4.0);
        assert!(is_absent(edge[1]));
    }
}
