//! Reading a series whose older samples are gone: samples where they are, else what is left of them.

use super::{Aggregate, Resolution, row, thin};
use crate::block::BlockPart;
use crate::chunk::aggregates::Windows;
use crate::error::Error;
use crate::intervals::Intervals;
use crate::samples::{Samples, is_stale};
use crate::series::Series;

/// What is left of the samples of a series that are gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Older {
    /// Aggregates of numbers, ascending, none reaching into another and none over a time of which samples are left.
    pub rows: Vec<Aggregate>,
    /// Native histograms that stand for others: the first and the last of each window, and both sides of counter resets.
    pub histograms: Samples,
    /// Times, ascending, from something that is known to the next thing, between which there were other samples: what was
    /// last known holds.
    held: Vec<(i64, i64)>,
    /// The resolutions that something of the range was read of.
    resolutions: Vec<Resolution>,
}

/// Leaves of aggregates and samples of the same time those that know more, be they as many the samples.
fn without_left(rows: &mut Vec<Aggregate>, samples: &mut Samples) {
    let mut known = Intervals::default();
    rows.retain(|row| {
        let (first, last) = row.extent();
        let from = samples.timestamps.partition_point(|t| *t < first);
        let to = samples.timestamps.partition_point(|t| *t <= last);
        if from == to {
            return true;
        }
        let left = samples.values[from..to].iter().filter(|value| !is_stale(**value)).count() as u64;
        if left < row.count {
            known = known.with(first, last);
        }
        left < row.count
    });
    if !known.ranges().is_empty() {
        samples.delete(0, &known);
    }
}

/// Parts of one series by resolution, the one that is preferred in front; of one resolution, those that were written first.
pub(crate) type OlderParts = Vec<(Resolution, Vec<BlockPart>)>;

impl Older {
    /// Tells whether nothing is left, or all samples are there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.histograms.is_empty()
    }

    /// The resolutions that something of the range was read of, finest first.
    #[must_use]
    pub fn resolutions(&self) -> &[Resolution] {
        &self.resolutions
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.histograms.clear();
        self.held.clear();
        self.resolutions.clear();
    }

    /// Adds to `samples`, which are those that are left, what is known of the others at single times: the first and the
    /// last value of each window, its end, and its histograms. `held` says of each whether it holds until the next one,
    /// however long that takes.
    pub fn points(&self, samples: &mut Samples, held: &mut Vec<bool>) {
        for row in &self.rows {
            if row.count > 0 {
                samples.push(row.first_ms, row.first);
                if row.last_ms > row.first_ms {
                    samples.push(row.last_ms, row.last);
                }
            }
            if let Some(ended) = row.ended_ms {
                samples.push(ended, crate::samples::STALE_NAN);
            }
        }
        self.histograms.values().for_each(|(timestamp, value)| samples.push_value(timestamp, value));
        samples.merge();
        held.clear();
        let mut spans = self.held.iter().peekable();
        held.extend(samples.timestamps.iter().map(|t| {
            while spans.next_if(|(_, end)| end <= t).is_some() {}
            spans.peek().is_some_and(|(start, _)| start <= t)
        }));
    }

    /// Adds to `samples`, which are those that are left, one value a window, the last, and its histograms.
    pub fn last_points(&self, samples: &mut Samples) {
        let rows = self.rows.iter().filter(|row| row.count > 0);
        rows.for_each(|row| samples.push(row.last_ms, row.last));
        self.histograms.values().for_each(|(timestamp, value)| samples.push_value(timestamp, value));
        samples.merge();
    }

    /// Takes what nothing that was taken before it stands for, and what knows more than the samples that are left of its
    /// time: these go from `samples`, and where all are left the aggregate does.
    fn take(
        &mut self,
        resolution: Resolution,
        found: &mut Windows,
        (samples, (min_ms, max_ms)): (&mut Samples, (i64, i64)),
    ) {
        row::united(&mut found.rows);
        found.histograms.merge();
        found.rows.retain(|row| self.knows_less(row));
        without_left(&mut found.rows, samples);
        if found.is_empty() {
            return;
        }
        let rows = found.rows.iter().filter(|row| row.last_ms > row.first_ms);
        self.held.extend(rows.map(|row| (row.first_ms, row.last_ms)));
        self.held.extend(thin::held(resolution, &found.histograms));
        if found.histograms.timestamps.iter().any(|t| (min_ms..=max_ms).contains(t)) {
            self.resolutions.push(resolution);
        }
        found.histograms.values().for_each(|(timestamp, value)| self.histograms.push_value(timestamp, value));
        self.rows.append(&mut found.rows);
        self.rows.sort_by_key(|row| row.first_ms);
    }

    /// Tells whether there is an aggregate of every window from one time to another: then others have nothing to add.
    fn knows_all(&self, (min, max): (i64, i64)) -> bool {
        let from = self.rows.partition_point(|row| row.extent().1 < min);
        let mut end = None;
        for row in &self.rows[from..] {
            let (window, length) = (row.resolution.window_end(row.first_ms), row.resolution.ms());
            let follows = match end {
                None => window.saturating_sub(length) < min,
                Some(end) => window.saturating_sub(length) <= end,
            };
            if !follows {
                return false;
            }
            end = Some(window);
            if window >= max {
                return true;
            }
        }
        false
    }

    /// Tells whether less is known of the time of an aggregate than it knows. Then what is known goes: of an hour of which the
    /// finer aggregates are too old but for the last, the coarser one is read.
    fn knows_less(&mut self, row: &Aggregate) -> bool {
        let (first, last) = row.extent();
        let from = self.rows.partition_point(|known| known.extent().1 < first);
        let to = self.rows.partition_point(|known| known.first_ms <= last).max(from);
        if from == to {
            // Of an end before which nothing was, and behind which the series began again, the wider window says nothing.
            let in_wider = |known: &Aggregate| {
                let end = |time| known.resolution.window_end(time);
                known.resolution > row.resolution && end(known.first_ms) == end(row.first_ms)
            };
            let around = [from.checked_sub(1), Some(from)].into_iter().flatten();
            return row.count > 0 || !around.filter_map(|at| self.rows.get(at)).any(in_wider);
        }
        let less = self.rows[from..to].iter().map(|known| known.count).sum::<u64>() < row.count;
        if less {
            self.rows.drain(from..to);
        }
        less
    }

    /// In order, and only what reaches into the range.
    fn settle(&mut self, min_ms: i64, max_ms: i64) {
        self.rows.retain(|row| row.first_ms <= max_ms && row.extent().1 >= min_ms);
        self.histograms.merge();
        self.held.sort_unstable();
        // One that reaches over others is what they lie in.
        let mut end = i64::MIN;
        self.held.retain(|span| {
            let keeps = span.1 > end;
            end = end.max(span.1);
            keeps
        });
        // Chunks reach beyond the range, those of one resolution further than those of another.
        self.resolutions.extend(self.rows.iter().map(|row| row.resolution));
        self.resolutions.sort_unstable();
        self.resolutions.dedup();
    }
}

impl Series {
    /// Tells whether something is left of samples that are gone.
    #[must_use]
    pub fn has_older(&self) -> bool {
        self.older.is_some()
    }

    /// As [`Series::read`], and fills `older` with what is left of samples that are gone.
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn read_with_older(&self, out: &mut Samples, older: &mut Older) -> Result<(), Error> {
        older.clear();
        let Some(parts) = &self.older else { return self.read(out) };
        // What of a window is left is told by all its samples, not by those of the range alone.
        crate::series::read(&self.parts, i64::MIN, i64::MAX, out)?;
        let mut found = Windows::default();
        for (resolution, parts) in parts.iter() {
            found.clear();
            for part in parts {
                part.of(|range| !older.knows_all(range)).decode_aggregates(*resolution, &mut found)?;
            }
            found.rows.retain(|row| row.first_ms >= self.kept_ms);
            found.histograms.clip(self.kept_ms, i64::MAX);
            older.take(*resolution, &mut found, (out, (self.min_ms, self.max_ms)));
        }
        older.settle(self.min_ms, self.max_ms);
        out.clip(self.min_ms, self.max_ms);
        Ok(())
    }
}

impl BlockPart {
    /// Appends the aggregates of the chunks to `out`, without those deleted: of a window that was deleted in part nothing is
    /// left.
    pub(crate) fn decode_aggregates(&self, resolution: Resolution, out: &mut Windows) -> Result<(), Error> {
        let (rows, histograms) = (out.rows.len(), out.histograms.len());
        self.each_whole(|bytes| out.decode(resolution, bytes).map(drop))?;
        let Some(deleted) = self.deleted() else { return Ok(()) };
        let mut at = 0;
        out.rows.retain(|row| {
            at += 1;
            let (first, last) = row.extent();
            at <= rows || !deleted.touches(first, last)
        });
        out.histograms.delete(histograms, deleted);
        Ok(())
    }
}

/// What is made of the samples of a series.
pub(crate) fn windows_of(resolution: Resolution, samples: &Samples, into: &mut Windows) {
    into.clear();
    row::aggregated(resolution, thin::numbers(samples), &mut into.rows);
    if !samples.histograms.is_empty() {
        into.histograms = thin::thinned(resolution, samples);
    }
}
