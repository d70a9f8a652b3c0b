//! Making aggregates of blocks that leave, merging their blocks, and deleting those that are too old.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::older::windows_of;
use super::{Resolution, Tier};
use crate::block::meta::Meta;
use crate::block::writer::BlockWriter;
use crate::block::{self, Block};
use crate::chunk::aggregates::Windows;
use crate::db::{Inner, Upkeep};
use crate::error::Error;
use crate::files;
use crate::labels::Labels;
use crate::maintain::{Maintenance, Source, living_symbols};
use crate::samples::Samples;
use crate::series::{self, Part};

/// Blocks of aggregates of one stretch that are merged at the latest when there are so many.
const PARTS: usize = 8;

impl Tier {
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks().iter().map(|block| block.bytes).sum()
    }
}

/// A block of aggregates that is being written.
struct Made<'a> {
    tier: &'a Tier,
    id: u64,
    writer: BlockWriter,
}

impl Inner {
    /// Writes the aggregates of blocks that are about to go. When it returns they are on the disk and served.
    pub(crate) fn aggregate(
        &self,
        gone: &[Arc<Block>],
        (now_ms, upkeep): (i64, &mut Upkeep),
        done: &mut Maintenance,
    ) -> Result<(), Error> {
        let mut gone = gone.to_vec();
        gone.sort_by_key(|block| (block.meta.min_time, block.id));
        let mut newest = i64::MIN;
        // Those that overlap together, so that a window is made of all its samples.
        let mut groups: Vec<Vec<Arc<Block>>> = Vec::new();
        for block in gone {
            match groups.last_mut().filter(|_| block.meta.min_time <= newest) {
                Some(group) => group.push(Arc::clone(&block)),
                None => groups.push(vec![Arc::clone(&block)]),
            }
            newest = newest.max(block.meta.max_time);
        }
        for mut group in groups {
            group.sort_by_key(|block| block.rank());
            self.aggregate_group(&group, (now_ms, &mut *upkeep), done)?;
        }
        Ok(())
    }

    fn aggregate_group(
        &self,
        group: &[Arc<Block>],
        (now_ms, upkeep): (i64, &mut Upkeep),
        done: &mut Maintenance,
    ) -> Result<(), Error> {
        let mut made = self.begin_aggregates(group, now_ms, upkeep)?;
        if made.is_empty() {
            return Ok(());
        }
        let horizons = self.kept.horizons();
        let mut sources: Vec<Source> = group.iter().map(Source::new).collect::<Result<_, _>>()?;
        let (mut samples, mut windows) = (Samples::default(), Windows::default());
        while let Some((labels, parts)) = next_series(&mut sources)? {
            let parts: Vec<Part> = parts.into_iter().map(Part::Block).collect();
            // A rule says for how long a series is kept, in every form.
            let kept = horizons.as_ref().map_or(i64::MIN, |horizons| horizons.of_rule(&labels));
            series::read(&parts, kept, i64::MAX, &mut samples)?;
            for Made { tier, writer, .. } in &mut made {
                windows_of(tier.resolution, &samples, &mut windows);
                writer.add(&labels, &windows.chunks())?;
            }
        }
        for Made { tier, id, writer } in made {
            done.aggregate_blocks_written += u64::from(self.serve_aggregates(tier, (id, writer), &[])?);
        }
        Ok(())
    }

    /// A block for each resolution that is kept for so long.
    fn begin_aggregates<'a>(
        &'a self,
        group: &[Arc<Block>],
        now_ms: i64,
        upkeep: &mut Upkeep,
    ) -> Result<Vec<Made<'a>>, Error> {
        let newest = group.iter().map(|block| block.meta.max_time).max().unwrap_or(i64::MIN);
        let mut made = Vec::new();
        for tier in &self.tiers {
            let keep = self.options.downsampling.keep_ms(tier.resolution);
            if keep.is_some_and(|keep| newest >= now_ms.saturating_sub(keep)) {
                let id = upkeep.next_block;
                upkeep.next_block += 1;
                let writer = self.aggregates_writer(tier.resolution, (id, group), meta_of(group))?;
                made.push(Made { tier, id, writer });
            }
        }
        Ok(made)
    }

    fn aggregates_writer(
        &self,
        resolution: Resolution,
        (id, group): (u64, &[Arc<Block>]),
        meta: Meta,
    ) -> Result<BlockWriter, Error> {
        let dir = self.tier_dir(resolution);
        if !dir.is_dir() {
            files::create_dir(&dir)?;
            for parent in dir.ancestors().skip(1).take(2) {
                files::sync_dir(parent)?;
            }
        }
        let symbols = living_symbols(group, true)?;
        BlockWriter::create(&dir, id, symbols, Meta { resolution_ms: resolution.ms(), ..meta })
    }

    fn tier_dir(&self, resolution: Resolution) -> std::path::PathBuf {
        Tier::dir(self.dir.as_deref().unwrap_or(Path::new("")), resolution)
    }

    /// Ends a block of aggregates and serves it in the place of others; says whether there is one.
    fn serve_aggregates(
        &self,
        tier: &Tier,
        (id, writer): (u64, BlockWriter),
        replaced: &[Arc<Block>],
    ) -> Result<bool, Error> {
        let made = writer.finish()?;
        let path = block::path(&self.tier_dir(tier.resolution), id);
        let block = made.then(|| Block::open(&path, id, Some(tier.resolution), &self.damage)).transpose()?;
        tier.change_blocks(|blocks| {
            blocks.retain(|block| replaced.iter().all(|other| other.id != block.id));
            blocks.extend(block.map(Arc::new));
        });
        replaced.iter().try_for_each(|block| files::remove_dir(&block.dir))?;
        Ok(made)
    }

    /// Writes one block of aggregates in place of these, without what was deleted or outlived of them.
    pub(crate) fn merge_aggregates(
        &self,
        tier: &Tier,
        group: &[Arc<Block>],
        upkeep: &mut Upkeep,
    ) -> Result<(), Error> {
        let mut group = group.to_vec();
        group.sort_by_key(|block| block.rank());
        let sources: BTreeSet<u64> =
            group.iter().flat_map(|block| block.meta.sources.iter().copied().chain([block.id])).collect();
        let level = group.iter().map(|block| block.meta.level).max().unwrap_or(0) + 1;
        let meta = Meta { level, sources: sources.into_iter().collect(), ..meta_of(&group) };
        let id = upkeep.next_block;
        let mut writer = self.aggregates_writer(tier.resolution, (id, &group), meta)?;
        let horizons = self.kept.horizons();
        let mut sources: Vec<Source> = group.iter().map(Source::new).collect::<Result<_, _>>()?;
        let mut windows = Windows::default();
        while let Some((labels, parts)) = next_series(&mut sources)? {
            windows.clear();
            for part in parts {
                part.decode_aggregates(tier.resolution, &mut windows)?;
            }
            super::row::united(&mut windows.rows);
            windows.histograms.merge();
            if let Some(horizons) = &horizons {
                let kept = horizons.of_rule(&labels);
                windows.rows.retain(|row| row.first_ms >= kept);
                windows.histograms.clip(kept, i64::MAX);
            }
            writer.add(&labels, &windows.chunks())?;
        }
        if group.iter().any(|block| self.damage.concerns(&block.dir)) {
            return writer.abandon();
        }
        upkeep.next_block += 1;
        self.serve_aggregates(tier, (id, writer), &group).map(drop)
    }

    /// Merges blocks of aggregates, and deletes those that are too old or too many.
    pub(crate) fn maintain_aggregates(
        &self,
        now_ms: i64,
        upkeep: &mut Upkeep,
        done: &mut Maintenance,
    ) -> Result<(), Error> {
        for tier in &self.tiers {
            while let Some(group) = self.plan_aggregates(tier) {
                self.merge_aggregates(tier, &group, upkeep)?;
                if tier.blocks().iter().any(|block| block.id == group[0].id) {
                    // Damage was found while it was read.
                    break;
                }
                done.aggregate_blocks_merged += group.len() as u64;
            }
            self.retain_aggregates(tier, now_ms, done)?;
        }
        Ok(())
    }

    /// The blocks to merge next: those of a stretch that is over, or of which there are many, or that overlap; else one of
    /// which so many series were deleted that it is worth rewriting.
    fn plan_aggregates(&self, tier: &Tier) -> Option<Vec<Arc<Block>>> {
        let mut blocks = tier.blocks().to_vec();
        blocks.retain(|block| !self.damage.concerns(&block.dir));
        let stretch =
            |block: &Block| block.meta.range_start.div_euclid(self.options.max_block_duration_ms.max(1));
        blocks.sort_by_key(|block| (stretch(block), block.meta.min_time, block.id));
        let last = blocks.last().map(|block| stretch(block))?;
        for group in blocks.chunk_by(|a, b| stretch(a) == stretch(b)) {
            let overlap = group.windows(2).any(|pair| pair[0].meta.max_time >= pair[1].meta.min_time);
            let is_over = stretch(&group[0]) < last;
            if group.len() > 1 && (overlap || is_over || group.len() >= PARTS) {
                return Some(group.to_vec());
            }
        }
        let worth = |block: &&Arc<Block>| {
            block.tombstones().series() as u64 * crate::maintain::REWRITE > block.meta.series
        };
        blocks.iter().find(worth).map(|block| vec![Arc::clone(block)])
    }

    fn retain_aggregates(&self, tier: &Tier, now_ms: i64, done: &mut Maintenance) -> Result<(), Error> {
        let oldest = self
            .options
            .downsampling
            .keep_ms(tier.resolution)
            .map_or(i64::MIN, |keep| now_ms.saturating_sub(keep));
        let limit = self.options.retention_bytes.map_or(u64::MAX, |limit| limit / 2);
        let mut bytes: u64 = self.tiers.iter().map(Tier::bytes).sum();
        let mut blocks = tier.blocks().to_vec();
        blocks.sort_by_key(|block| (block.meta.max_time, block.id));
        for block in blocks {
            if block.meta.max_time < oldest || bytes > limit {
                bytes -= block.bytes;
                tier.change_blocks(|blocks| blocks.retain(|other| other.id != block.id));
                files::remove_dir(&block.dir)?;
                done.aggregate_blocks_deleted += 1;
            }
        }
        Ok(())
    }
}

fn meta_of(group: &[Arc<Block>]) -> Meta {
    Meta {
        range_start: group.iter().map(|block| block.meta.range_start).min().unwrap_or(0),
        range_end: group.iter().map(|block| block.meta.range_end).max().unwrap_or(0),
        level: 1,
        ..Meta::default()
    }
}

/// The next series of some blocks, and where it lies in each that has it.
fn next_series(sources: &mut [Source]) -> Result<Option<(Labels, Vec<block::BlockPart>)>, Error> {
    let Some(labels) = sources.iter().filter_map(|source| source.labels()).min().cloned() else {
        return Ok(None);
    };
    let mut parts = Vec::new();
    for source in sources {
        if source.labels() == Some(&labels) {
            parts.extend(source.take_part()?);
        }
    }
    Ok(Some((labels, parts)))
}
