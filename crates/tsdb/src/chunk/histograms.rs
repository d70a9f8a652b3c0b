//! Histograms that follow each other, in columns.
//!
//! They are written in runs with the same bounds of buckets. The buckets of a run are those of all its histograms; each
//! of them is a column of numbers, as are count, zero count and sum, so that counters that rise slowly take little. A
//! bucket that a histogram does not have is a zero in its column.

use std::sync::Arc;

use streamflow_histogram::{Buckets, Histogram, ResetHint, plain};

use super::layout::{read_bounds, read_indices, reset_code, reset_of, write_bounds, write_indices};
use super::{Wanted, read_values, write_values};
use crate::varint::{self, Reader};

/// Most numbers of the histograms of a chunk: what a decoder is willing to make of a few bytes.
pub(crate) const MAX_CELLS: usize = 1 << 22;
/// Added to the code of what is known of resets: the column of counts says how much more is counted than in the buckets.
const EXCESS: u8 = 4;

/// The most numbers that this one may become among others.
pub(crate) fn cells(histogram: &Histogram) -> usize {
    2 * len(histogram) + SPARE + 3
}

/// Buckets that a run may have over twice those of its smallest histogram.
const SPARE: usize = 16;

/// Any number of histograms.
pub(crate) fn write(into: &mut Vec<u8>, histograms: &[Arc<Histogram>]) {
    let mut rest = histograms;
    while !rest.is_empty() {
        let (run, next) = rest.split_at(Run::length(rest));
        Run::of(run).write(into, run);
        rest = next;
    }
}

/// As many histograms as there are, as columns; `None` when the bytes are none, or would become more than [`MAX_CELLS`] numbers.
pub(crate) fn read(from: &mut Reader<'_>, count: usize) -> Option<Vec<Columns>> {
    let (mut left, mut cells, mut runs) = (count, 0, Vec::new());
    while left > 0 {
        let length = usize::try_from(from.unsigned()?).ok().filter(|n| (1..=left).contains(n))?;
        let run = Run::read(from)?;
        cells += length.checked_mul(run.columns())?;
        if cells > MAX_CELLS {
            return None;
        }
        runs.push(run.read_columns(from, length)?);
        left -= length;
    }
    Some(runs)
}

/// Makes histograms of columns: all of them, or where times are given those that are wanted and those at the ends of runs, and
/// outlines of the others.
pub(crate) fn put(runs: &[Columns], wanted: Option<(Wanted, &[i64])>, out: &mut Vec<Arc<Histogram>>) {
    let mut first = 0;
    for columns in runs {
        match wanted.filter(|_| columns.run.reset == ResetHint::NoReset) {
            None => out.extend((0..columns.length).map(|at| Arc::new(columns.histogram(at)))),
            Some((wanted, times)) => {
                let outline = Arc::new(columns.outline());
                let times = &times[first..first + columns.length];
                out.extend((0..columns.length).map(|at| {
                    let inside = at > 0 && at + 1 < times.len();
                    if inside && !wanted([times[at - 1], times[at], times[at + 1]]) {
                        return Arc::clone(&outline);
                    }
                    Arc::new(columns.histogram(at))
                }));
            }
        }
        first += columns.length;
    }
}

/// The numbers of a run, one column after the other.
pub(crate) struct Columns {
    run: Run,
    length: usize,
    cells: Vec<f64>,
}

impl Columns {
    /// What the histograms behind the first have in common.
    fn outline(&self) -> Histogram {
        let Run { first, reset, .. } = &self.run;
        Histogram { reset: *reset, ..first.clone() }
    }

    fn histogram(&self, at: usize) -> Histogram {
        let run = &self.run;
        let number = |column: usize| self.cells[column * self.length + at];
        let positive = buckets(&run.positive, |place| number(3 + place));
        let negative = buckets(&run.negative, |place| number(3 + run.positive.len() + place));
        let mut histogram = Histogram {
            reset: if at == 0 { run.first.reset } else { run.reset },
            zero_count: number(1),
            count: number(0),
            sum: number(2),
            positive,
            negative,
            custom_bounds: run.first.custom_bounds.clone(),
            ..run.first
        };
        if run.excess {
            histogram.count += counted(&histogram);
        }
        histogram
    }
}

/// What histograms have in common, and the buckets of all of them.
struct Run {
    /// Without numbers; with the reset of the first.
    first: Histogram,
    /// What is known of a reset before the others.
    reset: ResetHint,
    positive: Vec<i32>,
    negative: Vec<i32>,
    /// True where the counts are written as what they have over their buckets.
    excess: bool,
}

impl Run {
    /// How many of the first histograms make one run: they have the same bounds, the same is known of resets before all but
    /// the first, and not too many of the buckets of all are missing in each.
    fn length(histograms: &[Arc<Histogram>]) -> usize {
        let first = &histograms[0];
        let (mut positive, mut negative) = (first.positive.indices.clone(), first.negative.indices.clone());
        let mut smallest = len(first);
        let reset = histograms.get(1).map(|second| second.reset);
        let mut length = 1;
        for histogram in &histograms[1..] {
            let same = histogram.schema == first.schema
                && histogram.zero_threshold.to_bits() == first.zero_threshold.to_bits()
                && histogram.custom_bounds == first.custom_bounds;
            if !same || Some(histogram.reset) != reset || histogram.reset == ResetHint::Reset {
                break;
            }
            smallest = smallest.min(len(histogram));
            unite(&mut positive, &histogram.positive.indices);
            unite(&mut negative, &histogram.negative.indices);
            if positive.len() + negative.len() > 2 * smallest + SPARE {
                break;
            }
            length += 1;
        }
        length
    }

    fn of(histograms: &[Arc<Histogram>]) -> Self {
        let first = &histograms[0];
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        for histogram in histograms {
            unite(&mut positive, &histogram.positive.indices);
            unite(&mut negative, &histogram.negative.indices);
        }
        let reset = histograms.get(1).map_or(ResetHint::Unknown, |second| second.reset);
        let excess = histograms.iter().all(|histogram| {
            let counted = counted(histogram);
            (counted + (histogram.count - counted)).to_bits() == histogram.count.to_bits()
        });
        let first = Histogram {
            reset: first.reset,
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            custom_bounds: first.custom_bounds.clone(),
            ..Histogram::default()
        };
        Self { first, reset, positive, negative, excess }
    }

    fn columns(&self) -> usize {
        3 + self.positive.len() + self.negative.len()
    }

    fn write(&self, into: &mut Vec<u8>, histograms: &[Arc<Histogram>]) {
        varint::write(into, histograms.len() as u64);
        write_bounds(into, &self.first);
        into.push(reset_code(self.reset) | if self.excess { EXCESS } else { 0 });
        write_indices(into, &self.positive);
        write_indices(into, &self.negative);
        let mut scratch = Vec::with_capacity(histograms.len());
        let mut column = Vec::with_capacity(histograms.len());
        let mut put = |number: &mut dyn FnMut(&Histogram) -> f64| {
            column.clear();
            column.extend(histograms.iter().map(|histogram| number(histogram)));
            write_values(into, &column, &mut scratch);
        };
        put(&mut |histogram| {
            if self.excess { histogram.count - counted(histogram) } else { histogram.count }
        });
        put(&mut |histogram| histogram.zero_count);
        put(&mut |histogram| histogram.sum);
        for index in &self.positive {
            put(&mut |histogram| count_in(&histogram.positive, *index));
        }
        for index in &self.negative {
            put(&mut |histogram| count_in(&histogram.negative, *index));
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let first = read_bounds(from)?;
        let flags = from.byte().filter(|flags| *flags < 8)?;
        let (positive, negative) = (read_indices(from)?, read_indices(from)?);
        Some(Self { first, reset: reset_of(flags), positive, negative, excess: flags & EXCESS != 0 })
    }

    fn read_columns(self, from: &mut Reader<'_>, length: usize) -> Option<Columns> {
        let mut cells = vec![0.0; length * self.columns()];
        for column in cells.chunks_mut(length) {
            from.rest = read_values(from.byte()?, from.rest, column, plain)?;
        }
        Some(Columns { run: self, length, cells })
    }
}

fn len(histogram: &Histogram) -> usize {
    histogram.positive.indices.len() + histogram.negative.indices.len()
}

/// Observations in all buckets.
fn counted(histogram: &Histogram) -> f64 {
    let buckets = histogram.positive.counts.iter().chain(&histogram.negative.counts);
    buckets.fold(histogram.zero_count, |sum, count| sum + count)
}

fn count_in(buckets: &Buckets, index: i32) -> f64 {
    buckets.indices.binary_search(&index).map_or(0.0, |at| buckets.counts[at])
}

/// Those of the buckets that are not empty.
fn buckets(indices: &[i32], number: impl Fn(usize) -> f64) -> Buckets {
    let mut buckets =
        Buckets { indices: Vec::with_capacity(indices.len()), counts: Vec::with_capacity(indices.len()) };
    for (place, index) in indices.iter().enumerate() {
        let count = number(place);
        if count != 0.0 {
            buckets.indices.push(*index);
            buckets.counts.push(count);
        }
    }
    buckets
}

/// Both ascending lists as one.
fn unite(all: &mut Vec<i32>, more: &[i32]) {
    if more.iter().all(|index| all.binary_search(index).is_ok()) {
        return;
    }
    all.extend_from_slice(more);
    all.sort_unstable();
    all.dedup();
}
