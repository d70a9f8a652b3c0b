//! One series in memory.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chunk::{Chunk, OpenChunk};
use crate::error::AppendError;
use crate::labels::Labels;
use crate::samples::{Sample, Samples};
use crate::series::{Part, Parts};
use crate::value::Value;

/// Identity is fixed; the rest is behind the lock.
#[derive(Debug)]
pub(crate) struct MemSeries {
    pub(crate) id: u64,
    pub(crate) labels: Labels,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) chunks: Vec<Chunk>,
    pub(super) open: Option<Arc<OpenChunk>>,
    /// The open chunk ends before this time.
    open_end: i64,
    pub(super) out_of_order: Behind,
    /// Those of them that are being written to blocks.
    pub(crate) flushing: Behind,
    /// Newest sample, also of one that has left the head.
    pub(super) newest: Option<(i64, Value)>,
    /// True if the write-ahead log knows the series.
    pub(crate) logged: bool,
    /// Samples of batches that are not committed yet: the series must stay.
    pub(crate) pending: u32,
    /// The last sample of the batch of that number.
    pending_batch: u64,
    pending_newest: Option<(i64, Value)>,
}

/// Samples behind newer ones; most series have none, and no allocation for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behind(Option<Arc<Vec<Sample>>>);

impl Behind {
    pub(super) fn shared(&self) -> Option<Arc<Vec<Sample>>> {
        self.0.clone()
    }

    pub(super) fn make_mut(&mut self) -> &mut Vec<Sample> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl Deref for Behind {
    type Target = [Sample];

    fn deref(&self) -> &[Sample] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl From<Vec<Sample>> for Behind {
    fn from(samples: Vec<Sample>) -> Self {
        Self((!samples.is_empty()).then(|| Arc::new(samples)))
    }
}

/// What a sample would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Newer than what the series has.
    Newest,
    /// Behind newer ones, within the window.
    OutOfOrder,
    /// In the store already.
    Present,
}

/// From when on samples are accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Before this everything is in blocks.
    pub(crate) boundary: i64,
    /// Out of order from here on; `None` when not accepted at all.
    pub(crate) out_of_order: Option<i64>,
}

/// How chunks are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) samples: u32,
    pub(crate) range_ms: i64,
}

impl MemSeries {
    pub(crate) fn new(id: u64, labels: Labels) -> Self {
        Self { id, labels, state: Mutex::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The place that a sample of this batch would take, or the reason why it is refused.
    pub(crate) fn place(
        &self,
        t: i64,
        value: &Value,
        batch: u64,
        bounds: &Bounds,
    ) -> Result<Place, AppendError> {
        let pending = self.pending_newest.as_ref().filter(|_| self.pending_batch == batch);
        let newest = match (pending, self.newest.as_ref()) {
            (Some(pending), Some(newest)) => Some(if pending.0 >= newest.0 { pending } else { newest }),
            (pending, newest) => pending.or(newest),
        };
        if let Some((newest, existing)) = newest {
            if t == *newest {
                return present(t, existing, value);
            }
            if t < *newest {
                return match bounds.out_of_order {
                    None => Err(AppendError::OutOfOrder { timestamp: t, newest: *newest }),
                    Some(oldest) if t < oldest => Err(AppendError::TooOld { timestamp: t, oldest }),
                    Some(_) => self.place_behind(t, value),
                };
            }
        }
        if t >= bounds.boundary {
            return Ok(Place::Newest);
        }
        match bounds.out_of_order {
            Some(oldest) if t >= oldest => self.place_behind(t, value),
            oldest => Err(AppendError::TooOld { timestamp: t, oldest: oldest.unwrap_or(bounds.boundary) }),
        }
    }

    fn place_behind(&self, t: i64, value: &Value) -> Result<Place, AppendError> {
        self.at(t).map_or(Ok(Place::OutOfOrder), |existing| present(t, &existing, value))
    }

    /// The value in the head at this time.
    fn at(&self, t: i64) -> Option<Value> {
        let mut samples = Samples::default();
        let within = self.chunks.partition_point(|chunk| chunk.max_time < t);
        match self.chunks.get(within) {
            Some(chunk) if chunk.min_time <= t => chunk.decode(&mut samples)?,
            Some(_) => {}
            None => {
                if let Some(open) =
                    self.open.as_ref().filter(|open| (open.min_time..=open.max_time).contains(&t))
                {
                    open.decode(&mut samples);
                }
            }
        }
        let in_order = samples.timestamps.binary_search(&t).ok().map(|at| samples.value(samples.values[at]));
        let behind = [&self.flushing, &self.out_of_order].into_iter().find_map(|samples| {
            let found = samples.binary_search_by_key(&t, |sample| sample.timestamp);
            found.ok().map(|at| samples[at].value.clone())
        });
        in_order.or(behind)
    }

    /// Remembers a sample of a batch that is still open.
    pub(crate) fn expect(&mut self, t: i64, value: &Value, batch: u64, place: Place) {
        self.pending += 1;
        if place == Place::Newest {
            (self.pending_batch, self.pending_newest) = (batch, Some((t, value.clone())));
        }
    }

    /// Puts a committed sample in; false if another batch was faster and it does not fit any more.
    pub(crate) fn insert(&mut self, sample: Sample, behind_allowed: bool, cut: Cut) -> bool {
        match &self.newest {
            Some((newest, existing)) if sample.timestamp == *newest => {
                return existing.is_same(&sample.value);
            }
            Some((newest, _)) if sample.timestamp < *newest => {
                return behind_allowed && self.insert_behind(sample);
            }
            _ => {}
        }
        let Sample { timestamp: t, start, value } = sample;
        if let Some(open) = &mut self.open {
            if open.count < cut.samples && t < self.open_end && !open.is_full(&value) {
                Arc::make_mut(open).push(t, start, &value);
                self.newest = Some((t, value));
                return true;
            }
            self.seal();
        }
        self.open_end = t.div_euclid(cut.range_ms).saturating_add(1).saturating_mul(cut.range_ms);
        self.open = Some(Arc::new(OpenChunk::new(t, start, &value)));
        self.newest = Some((t, value));
        true
    }

    pub(crate) fn insert_behind(&mut self, sample: Sample) -> bool {
        let t = sample.timestamp;
        if let Some(existing) = self.at(t) {
            return existing.is_same(&sample.value);
        }
        if self.newest.is_none() {
            self.newest = Some((t, sample.value.clone()));
        }
        let samples = self.out_of_order.make_mut();
        let at = samples.partition_point(|other| other.timestamp < t);
        samples.insert(at, sample);
        true
    }

    fn seal(&mut self) {
        if let Some(open) = self.open.take() {
            let mut samples = Samples::default();
            open.decode(&mut samples);
            self.chunks.push(Chunk::new(&samples));
        }
    }

    /// References to everything with samples from `min` to `max`.
    pub(crate) fn parts(&self, min: i64, max: i64) -> Vec<Part> {
        let from = self.chunks.partition_point(|chunk| chunk.max_time < min);
        let to = self.chunks.partition_point(|chunk| chunk.min_time <= max);
        let mut parts: Vec<Part> = self.chunks[from.min(to)..to].iter().cloned().map(Part::Chunk).collect();
        if let Some(open) = self.open.as_ref().filter(|open| open.min_time <= max && open.max_time >= min) {
            parts.push(Part::Open(Arc::clone(open)));
        }
        for behind in [&self.flushing, &self.out_of_order] {
            if behind.iter().any(|sample| (min..=max).contains(&sample.timestamp)) {
                parts.extend(behind.shared().map(Part::OutOfOrder));
            }
        }
        parts
    }

    /// As [`State::parts`]; `None` where there is nothing.
    pub(crate) fn selected(&self, min: i64, max: i64) -> Option<Parts> {
        let only_open = self.chunks.is_empty() && self.behind().next().is_none();
        if !only_open {
            return Some(self.parts(min, max)).filter(|parts| !parts.is_empty()).map(Parts::from);
        }
        let open = self.open.as_ref().filter(|open| open.min_time <= max && open.max_time >= min)?;
        Some(Parts::One(Part::Open(Arc::clone(open))))
    }

    /// Tells whether there is any sample from `min` to `max` (as far as chunk bounds tell).
    pub(crate) fn overlaps(&self, min: i64, max: i64) -> bool {
        // The newest sample of a chunk that grows is its last, and known without a look at the chunk.
        if self.open.is_some() && self.newest.as_ref().is_some_and(|(newest, _)| (min..=max).contains(newest))
        {
            return true;
        }
        let chunk = self.chunks.partition_point(|chunk| chunk.max_time < min);
        self.chunks.get(chunk).is_some_and(|chunk| chunk.min_time <= max)
            || self.open.as_ref().is_some_and(|open| open.min_time <= max && open.max_time >= min)
            || self.behind().any(|sample| (min..=max).contains(&sample.timestamp))
    }

    pub(crate) fn behind(&self) -> impl Iterator<Item = &Sample> {
        self.flushing.iter().chain(self.out_of_order.iter())
    }

    /// Oldest and newest sample in the head.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        let chunks =
            self.chunks.first().zip(self.chunks.last()).map(|(first, last)| (first.min_time, last.max_time));
        let open = self.open.as_ref().map(|open| (open.min_time, open.max_time));
        let behind = self.behind().map(|sample| (sample.timestamp, sample.timestamp));
        let behind = behind.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        [chunks, open, behind].into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Chunks, samples and bytes in the head.
    pub(crate) fn size(&self) -> (u64, u64, u64) {
        let open = self.open.as_deref();
        let chunks = self.chunks.len() as u64 + u64::from(open.is_some());
        let samples = self.chunks.iter().map(|chunk| u64::from(chunk.count)).sum::<u64>()
            + open.map_or(0, |open| u64::from(open.count))
            + self.behind().count() as u64;
        let bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>()
            + open.map_or(0, |open| open.bytes())
            + self.behind().map(|sample| size_of::<Sample>() + sample.value.bytes_beside()).sum::<usize>();
        (chunks, samples, bytes as u64)
    }
}

/// A sample at the time of another one.
fn present(timestamp: i64, existing: &Value, value: &Value) -> Result<Place, AppendError> {
    if existing.is_same(value) {
        return Ok(Place::Present);
    }
    let (existing, value) = (existing.clone(), value.clone());
    Err(AppendError::DuplicateTimestamp { timestamp, existing, value })
}
