//! What is done now and then: the head's older part becomes a block, small blocks become large ones, old ones go.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::aggregates::Tier;
use crate::block::meta::Meta;
use crate::block::writer::BlockWriter;
use crate::block::{Block, BlockPart, Cursor};
use crate::db::{Inner, Upkeep, guard};
use crate::error::Error;
use crate::files;
use crate::head::MemSeries;
use crate::labels::Labels;
use crate::retention::Horizons;
use crate::series::{Part, rechunk};

/// What a call of [`Db::maintain`](crate::Db::maintain) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Blocks written from the head.
    pub blocks_written: u64,
    /// Blocks that were merged into larger ones.
    pub blocks_merged: u64,
    /// Blocks that were written anew without what some of their series had outlived.
    pub blocks_rewritten: u64,
    /// Blocks deleted for their age or the size of all.
    pub blocks_deleted: u64,
    /// Blocks of aggregates written of such blocks.
    pub aggregate_blocks_written: u64,
    /// Blocks of aggregates that were merged into larger ones, or written anew.
    pub aggregate_blocks_merged: u64,
    /// Blocks of aggregates deleted for their age or the size of all.
    pub aggregate_blocks_deleted: u64,
    /// Series that left memory.
    pub series_removed: u64,
}

/// Blocks that are merged in one call at most: the caller comes again in a minute.
pub(crate) const MERGES: usize = 8;
/// A block is rewritten when more than one in this many of its series has deleted samples.
pub(crate) const REWRITE: u64 = 20;

impl Inner {
    pub(crate) fn maintain(&self, now_ms: i64) -> Result<Maintenance, Error> {
        let mut upkeep = guard(&self.upkeep);
        let mut done = Maintenance::default();
        self.kept.advance(now_ms, &self.options);
        if self.dir.is_none() {
            self.forget(now_ms, &mut done);
            return Ok(done);
        }
        self.finish_deletion(&upkeep)?;
        self.followers.upkeep();
        self.flush(now_ms, &mut upkeep, &mut done)?;
        for _ in 0..MERGES {
            let group = self.plan();
            if group.is_empty() {
                break;
            }
            done.blocks_merged += group.len() as u64;
            self.merge(&group, &mut upkeep)?;
        }
        self.drop_outlived(now_ms, &mut upkeep, &mut done)?;
        if self.log.is_due(now_ms) {
            self.cut_log(&mut upkeep)?;
        }
        self.trim_log(&upkeep)?;
        self.retain(now_ms, &mut upkeep, &mut done)?;
        self.maintain_aggregates(now_ms, &mut upkeep, &mut done)?;
        Ok(done)
    }

    /// Without files, retention alone.
    fn forget(&self, now_ms: i64, done: &mut Maintenance) {
        let Some(retention) = self.options.longest_ms() else { return };
        let oldest = now_ms.saturating_sub(retention);
        let _committing = guard(&self.commits);
        self.boundary.fetch_max(oldest, Ordering::AcqRel);
        for series in self.head.series() {
            let mut state = series.lock();
            state.begin_flush(oldest);
            state.end_flush(oldest);
        }
        done.series_removed = self.head.collect(oldest) as u64;
    }

    /// Writes every finished range of the head to a block, then drops it from the head and the log.
    fn flush(&self, now_ms: i64, upkeep: &mut Upkeep, done: &mut Maintenance) -> Result<(), Error> {
        let range = self.options.block_duration_ms;
        // A history that is being filled in moves its own clock: the series of one sender do not all arrive at once,
        // so the last half range stays open behind the newest sample, however long ago that is.
        let clock_ms = now_ms.min(self.newest.load(Ordering::Relaxed));
        let target = clock_ms.saturating_sub(range / 2).div_euclid(range).saturating_mul(range);
        let all = self.head.series();
        let behind = target > self.boundary.load(Ordering::Acquire);
        let waits = |series: &Arc<MemSeries>| {
            let state = series.lock();
            state.is_before(target) || (behind && state.behind().any(|sample| sample.timestamp < target))
        };
        if !all.iter().any(waits) {
            return Ok(());
        }
        {
            // From here on nothing before the target is committed in its order.
            let _committing = guard(&self.commits);
            self.boundary.fetch_max(target, Ordering::AcqRel);
        }
        let mut series = self.head.series();
        series.retain(|series| {
            let mut state = series.lock();
            state.begin_flush(target);
            state.is_before(target) || !state.flushing.is_empty()
        });
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut ranges = BTreeSet::new();
        series.iter().for_each(|series| series.lock().ranges(target, range, &mut ranges));
        let mut written = Ok(());
        let mut end = i64::MIN;
        for start in ranges {
            written = self.write_range(&series, start, upkeep, done);
            if written.is_err() {
                break;
            }
            end = start.saturating_add(range);
        }
        series.iter().for_each(|series| series.lock().end_flush(end));
        if end > i64::MIN {
            let number = self.checkpoint(end, done)?;
            upkeep.flushed = [upkeep.flushed[1], number];
        }
        written
    }

    fn write_range(
        &self,
        series: &[Arc<MemSeries>],
        start: i64,
        upkeep: &mut Upkeep,
        done: &mut Maintenance,
    ) -> Result<(), Error> {
        let end = start.saturating_add(self.options.block_duration_ms);
        let parts = |series: &MemSeries| series.lock().parts(start, end - 1);
        let inside: Vec<&Arc<MemSeries>> = series.iter().filter(|series| !parts(series).is_empty()).collect();
        let symbols = symbols(inside.iter().map(|series| &series.labels));
        let id = upkeep.next_block;
        let meta = Meta { range_start: start, range_end: end, level: 1, ..Meta::default() };
        let mut writer = BlockWriter::create(&self.blocks_dir(), id, symbols, meta)?;
        for series in inside {
            let parts = parts(series);
            // Pieces that are whole chunks are taken as they are; the open one is closed.
            let apart = parts.iter().any(|part| matches!(part, Part::OutOfOrder(_)));
            let chunks = if apart {
                rechunk(&parts, start, end - 1, self.options.samples_per_chunk)?
            } else {
                let each =
                    parts.chunks(1).map(|part| rechunk(part, start, end - 1, self.options.samples_per_chunk));
                each.collect::<Result<Vec<_>, _>>()?.concat()
            };
            writer.add(&series.labels, &chunks)?;
        }
        upkeep.next_block += 1;
        if writer.finish()? {
            let block = Block::open(&crate::block::path(&self.blocks_dir(), id), id, None, &self.damage)?;
            self.change_blocks(|blocks| blocks.push(Arc::new(block)));
            done.blocks_written += 1;
        }
        Ok(())
    }

    /// The blocks to merge next: those that overlap, else the smallest range of which all parts are there, else one of
    /// which so many series were deleted that it is worth rewriting.
    fn plan(&self) -> Vec<Arc<Block>> {
        let mut blocks = self.blocks().to_vec();
        // A damaged block stays as it is: merging it would hide what was lost.
        blocks.retain(|block| !self.damage.concerns(&block.dir));
        let mut group: Vec<Arc<Block>> = Vec::new();
        let mut newest = i64::MIN;
        for block in &blocks {
            if !group.is_empty() && block.meta.min_time > newest {
                if group.len() > 1 {
                    return group;
                }
                group.clear();
            }
            newest = newest.max(block.meta.max_time);
            group.push(Arc::clone(block));
        }
        if group.len() > 1 {
            return group;
        }
        let largest = self.options.retention_ms.map_or(i64::MAX, |retention| retention / 10);
        let largest = self.options.max_block_duration_ms.min(largest);
        let boundary = self.boundary.load(Ordering::Acquire);
        let mut range = self.options.block_duration_ms.saturating_mul(3);
        while range <= largest {
            let start = |block: &Block| block.meta.range_start.div_euclid(range).saturating_mul(range);
            for group in blocks.chunk_by(|a, b| start(a) == start(b)) {
                let end = start(&group[0]).saturating_add(range);
                let inside = group.iter().all(|block| block.meta.range_end <= end);
                if group.len() > 1 && inside && end <= boundary {
                    return group.to_vec();
                }
            }
            range = range.saturating_mul(3);
        }
        let worth = |block: &&Arc<Block>| block.tombstones().series() as u64 * REWRITE > block.meta.series;
        blocks.iter().find(worth).cloned().into_iter().collect()
    }

    /// Writes one block in place of these, without what was deleted of them.
    pub(crate) fn merge(&self, group: &[Arc<Block>], upkeep: &mut Upkeep) -> Result<(), Error> {
        self.merge_kept(group, self.kept.horizons().as_deref(), upkeep)
    }

    /// As [`Inner::merge`], and without what was outlived.
    pub(crate) fn merge_kept(
        &self,
        group: &[Arc<Block>],
        horizons: Option<&Horizons>,
        upkeep: &mut Upkeep,
    ) -> Result<(), Error> {
        let mut group = group.to_vec();
        group.sort_by_key(|block| block.rank());
        let ids: BTreeSet<u64> =
            group.iter().flat_map(|block| block.meta.sources.iter().copied().chain([block.id])).collect();
        let meta = Meta {
            range_start: group.iter().map(|block| block.meta.range_start).min().unwrap_or(0),
            range_end: group.iter().map(|block| block.meta.range_end).max().unwrap_or(0),
            level: group.iter().map(|block| block.meta.level).max().unwrap_or(0) + 1,
            sources: ids.into_iter().collect(),
            ..Meta::default()
        };
        let symbols = living_symbols(&group, horizons.is_some())?;
        let id = upkeep.next_block;
        let mut writer = BlockWriter::create(&self.blocks_dir(), id, symbols, meta)?;
        let mut sources: Vec<Source> = group.iter().map(Source::new).collect::<Result<_, _>>()?;
        while let Some(labels) = sources.iter().filter_map(|source| source.labels()).min().cloned() {
            let mut chunks = Vec::new();
            for source in &mut sources {
                if source.labels() == Some(&labels) {
                    chunks.extend(source.take()?);
                }
            }
            if let Some(horizons) = horizons {
                chunks = horizons.strip(&labels, chunks);
            }
            let parts: Vec<Part> = chunks.into_iter().map(Part::Chunk).collect();
            writer.add(&labels, &merged(parts, self.options.samples_per_chunk)?)?;
        }
        if group.iter().any(|block| self.damage.concerns(&block.dir)) {
            return writer.abandon();
        }
        upkeep.next_block += 1;
        let made = writer.finish()?;
        let block = made
            .then(|| Block::open(&crate::block::path(&self.blocks_dir(), id), id, None, &self.damage))
            .transpose()?;
        self.change_blocks(|blocks| {
            blocks.retain(|block| group.iter().all(|merged| merged.id != block.id));
            blocks.extend(block.map(Arc::new));
        });
        group.iter().try_for_each(|block| files::remove_dir(&block.dir))
    }

    /// Deletes blocks that are too old, then the oldest until all is small enough.
    fn retain(&self, now_ms: i64, upkeep: &mut Upkeep, done: &mut Maintenance) -> Result<(), Error> {
        let mut blocks = self.blocks().to_vec();
        blocks.sort_by_key(|block| (block.meta.max_time, block.id));
        let oldest = self.options.longest_ms().map_or(i64::MIN, |retention| now_ms.saturating_sub(retention));
        let log = self.log_dir().map_or(0, |dir| files::size(&dir));
        let aggregates: u64 = self.tiers.iter().map(Tier::bytes).sum();
        let mut bytes = log + aggregates + blocks.iter().map(|block| block.bytes).sum::<u64>();
        let mut gone = Vec::new();
        for block in blocks {
            let too_much = self.options.retention_bytes.is_some_and(|limit| bytes > limit);
            if block.meta.max_time < oldest || too_much {
                bytes -= block.bytes;
                gone.push(block);
            }
        }
        self.aggregate(&gone, (now_ms, upkeep), done)?;
        self.change_blocks(|blocks| blocks.retain(|block| gone.iter().all(|other| other.id != block.id)));
        for block in gone {
            files::remove_dir(&block.dir)?;
            done.blocks_deleted += 1;
        }
        Ok(())
    }
}

pub(crate) fn symbols<'a>(labels: impl Iterator<Item = &'a Labels>) -> HashSet<Box<str>> {
    let mut symbols: HashSet<&str> = HashSet::new();
    for labels in labels {
        for (name, value) in labels {
            symbols.insert(name);
            symbols.insert(value);
        }
    }
    symbols.into_iter().map(Box::from).collect()
}

/// The names and values of the labels that a block in place of these has; of series that were deleted none.
pub(crate) fn living_symbols(group: &[Arc<Block>], by_series: bool) -> Result<HashSet<Box<str>>, Error> {
    let mut all = HashSet::new();
    for block in group {
        if block.tombstones().series() == 0 && !by_series {
            all.extend(block.symbols().map(Box::from));
            continue;
        }
        for series in block.cursor(&[], i64::MIN, i64::MAX) {
            all.extend(symbols(std::iter::once(&series?.0)));
        }
    }
    Ok(all)
}

/// Chunks of several blocks in their order of rank as chunks ascending by time; those that overlap none are kept.
fn merged(mut parts: Vec<Part>, size: usize) -> Result<Vec<crate::chunk::Chunk>, Error> {
    let bounds = |part: &Part| match part {
        Part::Chunk(chunk) => (chunk.min_time, chunk.max_time),
        _ => (i64::MIN, i64::MAX),
    };
    let mut sorted: Vec<(i64, i64)> = parts.iter().map(bounds).collect();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0].1 < pair[1].0) {
        parts.sort_by_key(|part| bounds(part));
    }
    rechunk(&parts, i64::MIN, i64::MAX, size)
}

/// A block that is merged, and its series that is next.
#[derive(Debug)]
pub(crate) struct Source {
    cursor: Cursor<'static>,
    next: Option<(Labels, BlockPart)>,
}

impl Source {
    pub(crate) fn new(block: &Arc<Block>) -> Result<Self, Error> {
        let mut cursor = block.cursor(&[], i64::MIN, i64::MAX);
        let next = cursor.next().transpose()?;
        Ok(Self { cursor, next })
    }

    pub(crate) fn labels(&self) -> Option<&Labels> {
        self.next.as_ref().map(|(labels, _)| labels)
    }

    /// The chunks of the series that is next, without damaged ones.
    fn take(&mut self) -> Result<Vec<crate::chunk::Chunk>, Error> {
        self.take_part()?.map_or_else(|| Ok(Vec::new()), |part| part.living())
    }

    /// Where the series that is next lies; goes on to the one behind it.
    pub(crate) fn take_part(&mut self) -> Result<Option<BlockPart>, Error> {
        let following = self.cursor.next().transpose()?;
        Ok(std::mem::replace(&mut self.next, following).map(|(_, part)| part))
    }
}
