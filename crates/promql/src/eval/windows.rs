//! Functions of ranges in which samples are gone and their aggregates are left.
//!
//! A window that lies in the range counts as what it is. Of one that reaches over a bound of the range those samples count
//! that lie inside if its samples lie evenly between its first and its last one, and its values on the line between those.

use streamflow_tsdb::{Aggregate, Resolution};

use crate::annotations::Annotation;
use crate::ast::Span;
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{ABSENT, Column};
use crate::eval::pipeline::{Pipeline, Scratch};
use crate::eval::selector::without_stale;
use crate::eval::source::RangeRead;
use crate::eval::window::Window;

/// What is known of a range: never empty, ascending.
pub(crate) struct Windows<'a> {
    /// Aggregates, and samples as aggregates of one; cut at the bounds of the range.
    pub(crate) rows: &'a [Aggregate],
    /// The first and the last sample that are known, with their times.
    pub(crate) first: (i64, f64),
    pub(crate) last: (i64, f64),
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// What a function makes of aggregates.
pub(crate) type OfWindows = fn(&Windows) -> f64;

/// Samples, and the one aggregate or more that is known of a series in a range.
pub(crate) struct Found<'a> {
    pub(crate) rows: &'a [Aggregate],
    pub(crate) samples: (&'a [i64], &'a [f64]),
}

impl Found<'_> {
    /// Fills `into` with what lies in `(start, end]`, and returns the first and the last sample of it; `None` where nothing does.
    pub(crate) fn within(
        &self,
        (start, end): (i64, i64),
        into: &mut Vec<Aggregate>,
    ) -> Option<[(i64, f64); 2]> {
        into.clear();
        let (times, values) = self.samples;
        let mut samples = times.iter().copied().zip(values.iter().copied()).peekable();
        let mut ends: Option<[(i64, f64); 2]> = None;
        let mut take = |row: Aggregate, first, last, into: &mut Vec<Aggregate>| {
            into.push(row);
            ends = Some([ends.map_or(first, |[known, _]| known), last]);
        };
        let alone = |(time, value)| Aggregate::of(Resolution::FiveMinutes, time, value);
        for row in self.rows {
            while let Some(sample) = samples.next_if(|(time, _)| *time < row.first_ms) {
                take(alone(sample), sample, sample, into);
            }
            let Some(inside) = cut(row, (start, end)) else { continue };
            let (first, last) = ((row.first_ms, row.first), (row.last_ms, row.last));
            // Of a window that begins before the range its last sample is the first that is known to lie inside.
            let known_first = if first.0 > start || last.0 > end { first } else { last };
            let known_last = if last.0 <= end { last } else { first };
            take(inside, known_first, known_last, into);
        }
        for sample in samples {
            take(alone(sample), sample, sample, into);
        }
        ends
    }
}

/// What of an aggregate lies in `(start, end]`; `None` where nothing does.
fn cut(row: &Aggregate, (start, end): (i64, i64)) -> Option<Aggregate> {
    if row.count == 0 || row.last_ms <= start || row.first_ms > end {
        return None;
    }
    if row.first_ms > start && row.last_ms <= end {
        return Some(*row);
    }
    // One sample, or several at one time, do not reach over a bound.
    let between = row.count.saturating_sub(1).max(1);
    let spacing = (row.last_ms - row.first_ms) as f64 / between as f64;
    let places = |time: i64| ((time - row.first_ms) as f64 / spacing).floor() as u64;
    let from = if row.first_ms > start { 0 } else { places(start) + 1 };
    let to = if row.last_ms <= end { between } else { places(end).min(between) };
    if from > to {
        return None;
    }
    let (begin, finish) = (from as f64 / between as f64, to as f64 / between as f64);
    let at = |share: f64| row.first + (row.last - row.first) * share;
    let time = |share: f64| row.first_ms + ((row.last_ms - row.first_ms) as f64 * share).round() as i64;
    let count = to - from + 1;
    let part = count as f64 / (between + 1) as f64;
    Some(Aggregate {
        first_ms: if from == 0 { row.first_ms } else { time(begin).max(start + 1) },
        last_ms: if to == between { row.last_ms } else { time(finish).min(end) },
        first: if from == 0 { row.first } else { at(begin) },
        last: if to == between { row.last } else { at(finish) },
        count,
        sum: row.sum * part,
        lost: row.lost * (finish - begin),
        resets: (row.resets as f64 * (finish - begin)).round() as u64,
        changes: (row.changes as f64 * (finish - begin)).round() as u64,
        ..*row
    })
}

impl RunningQuery<'_> {
    /// Says that aggregates were read, and of which windows.
    pub(crate) fn note_older(&self, resolutions: &[Resolution], span: Span) {
        for resolution in resolutions {
            self.annotate(Annotation::FromAggregates(resolution.name()), span);
        }
    }
}

impl Pipeline<'_> {
    /// Puts what is known of a series in the place of samples that are gone: as aggregates where the function knows these,
    /// else as one value a window.
    pub(crate) fn read_older(&self, read: &RangeRead, scratch: &mut Scratch) {
        let Scratch { samples, history, older, rows, .. } = scratch;
        self.query.note_older(older.resolutions(), read.span);
        let only_numbers = samples.histograms.is_empty() && older.histograms.is_empty();
        if read.function.of_windows.is_some() && read.extended.is_none() && only_numbers {
            rows.extend(older.rows.iter().filter(|row| row.count > 0));
        } else {
            older.last_points(samples);
            // Of native histograms what a counter rose by is known, and the first and last ones are there.
            let is_known =
                read.function.of_histogram_ends && older.rows.is_empty() && read.extended.is_none();
            if !is_known {
                for resolution in older.resolutions() {
                    let remark = Annotation::OneOfWindow(read.name, resolution.name());
                    self.query.annotate(remark, read.span);
                }
            }
        }
        without_stale(samples, history);
    }

    /// Calls the function at every step; at those that see aggregates, of these.
    pub(crate) fn fill_windows(
        &self,
        (read, of_windows): (&RangeRead, OfWindows),
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), Error> {
        let Scratch { history, params, sorted, rows, inside, .. } = scratch;
        if read.function.counter.is_some() {
            history.find_resets();
        }
        let mut slide = history.slide();
        let (mut lower, mut upper) = (0, 0);
        // Functions that know aggregates have no further arguments.
        params.clear();
        for step in 0..out.len() {
            if step % super::range::STEPS_PER_CHECK == 0 {
                self.query.check()?;
            }
            let time = self.grid.time(step);
            let end = read.reading.time(time);
            let start = end.saturating_sub(read.range_ms);
            let (first, times, values) = slide.to(start, end);
            while upper < rows.len() && rows[upper].first_ms <= end {
                upper += 1;
            }
            while lower < upper && rows[lower].last_ms <= start {
                lower += 1;
            }
            if lower == upper {
                let resets = if read.function.counter.is_some() { slide.resets() } else { &[] };
                let starts = history.starts.get(first..first + times.len()).unwrap_or_default();
                let (extended, scratch) = (None, &mut *sorted);
                let mut window = Window {
                    times,
                    values,
                    start,
                    end,
                    time,
                    params,
                    starts,
                    resets,
                    first,
                    extended,
                    scratch,
                };
                out[step] = if values.is_empty() { ABSENT } else { (read.function.call)(&mut window) };
                continue;
            }
            let found = Found { rows: &rows[lower..upper], samples: (times, values) };
            out[step] = match found.within((start, end), inside) {
                Some([first, last]) => of_windows(&Windows { rows: inside, first, last, start, end }),
                None => ABSENT,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first_ms: i64, last_ms: i64, count: u64) -> Aggregate {
        let one = Aggregate::of(Resolution::OneHour, first_ms, 10.0);
        Aggregate { last_ms, count, last: 50.0, sum: 150.0, max: 50.0, lost: 8.0, ..one }
    }

    #[test]
    fn a_window_is_cut_where_its_samples_would_lie() {
        // Samples at 100, 200, 300, 400, 500.
        let row = row(100, 500, 5);
        assert_eq!(cut(&row, (99, 500)), Some(row));
        assert_eq!(cut(&row, (500, 900)), None);
        assert_eq!(cut(&row, (0, 99)), None);
        let right = cut(&row, (250, 900)).unwrap();
        assert_eq!((right.count, right.first_ms, right.last_ms, right.first), (3, 300, 500, 30.0));
        assert_eq!((right.sum, right.lost, right.last), (90.0, 4.0, 50.0));
        let left = cut(&row, (0, 250)).unwrap();
        assert_eq!((left.count, left.first_ms, left.last_ms, left.last), (2, 100, 200, 20.0));
        // The bounds are left open.
        assert_eq!(cut(&row, (100, 200)).unwrap().count, 1);
        assert_eq!(cut(&row, (210, 290)), None);
    }

    #[test]
    fn samples_and_aggregates_stand_in_their_order() {
        let rows = [row(100, 500, 5)];
        let found = Found { rows: &rows, samples: (&[50, 600], &[1.0, 2.0]) };
        let mut inside = Vec::new();
        let ends = found.within((0, 700), &mut inside).unwrap();
        assert_eq!(inside.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 5, 1]);
        assert_eq!(ends, [(50, 1.0), (600, 2.0)]);
        let found = Found { rows: &rows, samples: (&[], &[]) };
        assert_eq!(found.within((250, 450), &mut inside).unwrap(), [(100, 10.0), (100, 10.0)]);
        assert_eq!(found.within((250, 700), &mut inside).unwrap(), [(500, 50.0), (500, 50.0)]);
    }
}
