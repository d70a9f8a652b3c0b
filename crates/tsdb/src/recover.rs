//! Opening: blocks, the newest checkpoint, the log behind it.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use crate::aggregates::Resolution;
use crate::block::{self, Block};
use crate::damage::DamageLog;
use crate::error::Error;
use crate::files;
use crate::head::{Cut, Head};
use crate::labels::Labels;
use crate::samples::Sample;
use crate::wal::record::{Logged, Record, SavedSeries};
use crate::wal::{self, CHECKPOINT, SEGMENT, SEGMENT_MAGIC, checkpoint};

/// Takes the directory's lock, which lasts as long as the file is open.
pub(crate) fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = File::options().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(Error::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { path: dir.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(Error::io("cannot lock", path)(error)),
    }
}

/// Opens all blocks that are whole, removing those that compaction has replaced; ascending by their oldest sample.
pub(crate) fn open_blocks(
    dir: &Path,
    holds: Option<Resolution>,
    damage: &Arc<DamageLog>,
    remove: bool,
) -> Result<(Vec<Arc<Block>>, u64), Error> {
    let mut blocks = Vec::new();
    let found = files::numbered(dir, block::BLOCK)?;
    let last = found.last().map_or(0, |(id, _)| *id);
    for (id, path) in found {
        match Block::open(&path, id, holds, damage) {
            Ok(block) => blocks.push(Arc::new(block)),
            Err(Error::Damaged { path, what }) => damage.add(&path, what, None),
            Err(error @ Error::Io { .. }) => {
                damage.add(&path, format!("{error}: the block is not served"), None)
            }
            Err(error) => return Err(error),
        }
    }
    let replaced: BTreeSet<u64> =
        blocks.iter().flat_map(|block| block.meta.sources.iter().copied()).collect();
    let (gone, mut blocks): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| replaced.contains(&block.id));
    if remove {
        for block in gone {
            files::remove_dir(&block.dir)?;
        }
    }
    blocks.sort_by_key(|block| (block.meta.min_time, block.id));
    Ok((blocks, last))
}

/// What the log says, put into a head.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    pub(crate) head: &'a Head,
    pub(crate) cut: Cut,
    /// Before this everything in order is in blocks.
    pub(crate) boundary: i64,
    pub(crate) newest: i64,
    pub(crate) records: u64,
    /// Samples of the checkpoint and of the log behind it.
    pub(crate) samples: u64,
    unknown: u64,
    unknown_series: HashSet<u64>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(head: &'a Head, cut: Cut, boundary: i64) -> Self {
        let (unknown, unknown_series) = (0, HashSet::new());
        Self { head, cut, boundary, newest: i64::MIN, records: 0, samples: 0, unknown, unknown_series }
    }

    /// Reads the newest checkpoint and the segments behind it; returns the number of the last segment. A torn tail
    /// is cut off when `repair` is set.
    pub(crate) fn run(&mut self, dir: &Path, damage: &DamageLog, repair: bool) -> Result<u64, Error> {
        let mut from = 0;
        if let Some((number, path)) = files::numbered(dir, CHECKPOINT)?.pop() {
            self.checkpoint(&path, damage)?;
            from = number;
        }
        let segments = files::numbered(dir, SEGMENT)?;
        let last = segments.last().map_or(0, |(number, _)| *number).max(from);
        let mut expected = None;
        for (number, path) in segments.iter().filter(|(number, _)| *number >= from) {
            if expected.is_some_and(|expected| expected != *number)
                || (expected.is_none() && from > 0 && *number != from)
            {
                damage.add(
                    dir,
                    format!("segments before {number} are missing: what they held is lost"),
                    None,
                );
            }
            expected = Some(number + 1);
            let found =
                wal::read_file(path, SEGMENT_MAGIC, damage, *number == last, |record| self.apply(record))?;
            self.records += found.records;
            if let (true, Some(torn)) = (repair, found.torn) {
                let file = File::options().write(true).open(path).map_err(Error::io("cannot open", path))?;
                file.set_len(torn).map_err(Error::io("cannot cut", path))?;
            }
        }
        if from > 0 && expected.is_none() {
            damage.add(
                dir,
                format!("segment {from} and those behind it are missing: what they held is lost"),
                None,
            );
        }
        if self.unknown > 0 {
            let (samples, series) = (self.unknown, self.unknown_series.len());
            let what = format!(
                "{samples} samples of {series} series are lost: the record with their labels is damaged"
            );
            damage.add(dir, what, None);
        }
        Ok(last)
    }

    fn checkpoint(&mut self, path: &Path, damage: &DamageLog) -> Result<(), Error> {
        let (mut series, mut promised) = (0, None);
        let found = wal::read_file(path, checkpoint::MAGIC, damage, false, |record| match record {
            Record::CheckpointHead { boundary, next_id } => {
                self.boundary = self.boundary.max(boundary);
                self.head.reserve_ids(next_id);
            }
            Record::CheckpointSeries(saved) => {
                series += 1;
                self.restore(saved);
            }
            Record::CheckpointEnd { series } => promised = Some(series),
            Record::Batch { .. } | Record::Deletion { .. } => {}
        })?;
        self.records += found.records;
        if promised != Some(series) {
            damage.add(path, format!("not whole: {series} series are left of it"), None);
        }
        Ok(())
    }

    fn restore(&mut self, saved: SavedSeries) {
        let series = self.head.restore(saved.id, saved.labels.clone());
        let mut state = series.lock();
        state.restore(saved, self.cut);
        self.samples += state.size().1;
        if let Some((_, newest)) = state.range() {
            self.newest = self.newest.max(newest);
        }
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Batch { series, samples } => {
                series.into_iter().for_each(|(id, labels)| self.define(id, labels));
                samples.into_iter().for_each(|sample| self.insert(sample));
            }
            Record::Deletion { min, max, series } => {
                for series in series.into_iter().filter_map(|id| self.head.get(id)) {
                    series.lock().delete(min, max);
                }
            }
            _ => {}
        }
    }

    fn define(&mut self, id: u64, labels: Labels) {
        self.head.restore(id, labels).lock().logged = true;
    }

    fn insert(&mut self, sample: Logged) {
        let Some(series) = self.head.get(sample.id) else {
            self.unknown += 1;
            self.unknown_series.insert(sample.id);
            return;
        };
        self.newest = self.newest.max(sample.timestamp);
        self.samples += 1;
        let mut state = series.lock();
        let Logged { timestamp, start, value, behind, .. } = sample;
        let sample = Sample { timestamp, start, value };
        if behind {
            state.insert_behind(sample);
        } else if timestamp >= self.boundary {
            state.insert(sample, true, self.cut);
        }
    }
}
