//! How samples leave the head for blocks, and how the head is copied to a checkpoint and back.

use std::sync::Arc;

use super::series::{Behind, Cut, MemSeries, State};
use crate::chunk::{Chunk, OpenChunk};
use crate::format;
use crate::samples::{Sample, Samples};
use crate::value::Value;
use crate::wal::record::SavedSeries;

/// A series as it was at one moment, by references.
#[derive(Debug)]
pub(crate) struct Copy {
    series: Arc<MemSeries>,
    newest: Option<(i64, Value)>,
    chunks: Vec<Chunk>,
    open: Option<Arc<OpenChunk>>,
    behind: [Behind; 2],
}

impl Copy {
    /// Number of a series that the log knows.
    pub(crate) fn of(series: Arc<MemSeries>) -> Option<Self> {
        let state = series.lock();
        if !state.logged {
            return None;
        }
        let (newest, chunks, open) = (state.newest.clone(), state.chunks.clone(), state.open.clone());
        let behind = [state.flushing.clone(), state.out_of_order.clone()];
        drop(state);
        Some(Self { series, newest, chunks, open, behind })
    }

    /// The format of a checkpoint of these.
    pub(crate) fn format_of(copies: &[Self]) -> u8 {
        copies.iter().map(Self::format).max().unwrap_or(format::NUMBERS)
    }

    fn format(&self) -> u8 {
        let newest = match &self.newest {
            Some((_, Value::Histogram(_))) => format::HISTOGRAMS,
            Some((_, Value::Float(_))) | None => format::NUMBERS,
        };
        let behind = self.behind.iter().flat_map(|samples| samples.iter()).map(Sample::format);
        let open = self.open.iter().map(|open| open.format());
        behind.chain(open).chain(self.chunks.iter().map(Chunk::format)).fold(newest, u8::max)
    }

    /// As a checkpoint has it.
    pub(crate) fn saved(self) -> SavedSeries {
        let mut behind = Samples::default();
        let apart = self.behind.iter().flat_map(|samples| samples.iter());
        apart.for_each(|sample| behind.push_sample(sample.clone()));
        let mut chunks = self.chunks;
        let open = self.open.is_some();
        chunks.extend(self.open.map(|open| {
            let mut samples = Samples::default();
            open.decode(&mut samples);
            Chunk::new(&samples)
        }));
        SavedSeries {
            id: self.series.id,
            labels: self.series.labels.clone(),
            newest: self.newest,
            chunks,
            open,
            behind,
        }
    }
}

impl State {
    pub(crate) fn restore(&mut self, saved: SavedSeries, cut: Cut) {
        self.logged = true;
        self.chunks = saved.chunks;
        if saved.open {
            let mut samples = Samples::default();
            if self.chunks.last().is_some_and(|last| last.decode(&mut samples).is_some()) {
                self.chunks.pop();
            }
            for sample in samples.samples() {
                self.insert(sample, false, cut);
            }
        }
        self.newest = saved.newest;
        for sample in saved.behind.samples() {
            self.insert_behind(sample);
        }
    }

    /// Sets the samples behind newer ones that are before `boundary` apart, to be written to blocks.
    pub(crate) fn begin_flush(&mut self, boundary: i64) {
        if self.out_of_order.first().is_none_or(|sample| sample.timestamp >= boundary) {
            return;
        }
        let (mut old, new): (Vec<_>, Vec<_>) =
            self.out_of_order.iter().cloned().partition(|sample| sample.timestamp < boundary);
        // What an attempt that failed left.
        old.extend(self.flushing.iter().cloned());
        old.sort_by_key(|sample| sample.timestamp);
        (self.flushing, self.out_of_order) = (old.into(), new.into());
    }

    /// Drops what is before `done`, which blocks have now.
    pub(crate) fn end_flush(&mut self, done: i64) {
        let first = self.chunks.iter().position(|chunk| chunk.max_time >= done).unwrap_or(self.chunks.len());
        if first > 0 {
            self.chunks.drain(..first);
            self.chunks.shrink_to_fit();
        }
        if self.open.as_ref().is_some_and(|open| open.max_time < done) {
            self.open = None;
        }
        if self.flushing.first().is_some_and(|sample| sample.timestamp < done) {
            let left = self.flushing.iter().filter(|sample| sample.timestamp >= done);
            self.flushing = left.cloned().collect::<Vec<Sample>>().into();
        }
    }

    pub(crate) fn is_garbage(&self, boundary: i64) -> bool {
        let empty = self.open.is_none() && self.chunks.is_empty() && self.behind().next().is_none();
        empty && self.pending == 0 && self.newest.as_ref().is_none_or(|(newest, _)| *newest < boundary)
    }

    /// The beginnings of the ranges before `boundary` that samples lie in; `behind` says whether those set apart count.
    pub(crate) fn ranges(&self, boundary: i64, range_ms: i64, into: &mut std::collections::BTreeSet<i64>) {
        let chunks = self.chunks.iter().map(|chunk| (chunk.min_time, chunk.max_time));
        let open = self.open.iter().map(|open| (open.min_time, open.max_time));
        let behind = self.flushing.iter().map(|sample| (sample.timestamp, sample.timestamp));
        for (min, max) in chunks.chain(open).chain(behind) {
            let mut start = min.div_euclid(range_ms).saturating_mul(range_ms);
            while start <= max && start < boundary {
                into.insert(start);
                let Some(next) = start.checked_add(range_ms) else { break };
                start = next;
            }
        }
    }

    /// Tells whether there are samples in their order before `boundary`.
    pub(crate) fn is_before(&self, boundary: i64) -> bool {
        self.chunks.first().is_some_and(|chunk| chunk.min_time < boundary)
            || self.open.as_ref().is_some_and(|open| open.min_time < boundary)
    }
}
