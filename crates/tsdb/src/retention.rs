//! How long the samples of which series are kept.
//!
//! The store's own retention deletes whole blocks. Rules go by series: what a series has outlived is in no answer from
//! one upkeep on, and leaves the disk when its block is merged, or written anew because that is worth it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use crate::block::Block;
use crate::chunk::Chunk;
use crate::db::{Inner, Upkeep};
use crate::error::Error;
use crate::intervals::Intervals;
use crate::labels::Labels;
use crate::maintain::{MERGES, Maintenance};
use crate::matcher::Matcher;
use crate::options::Options;
use crate::postings::meets;

/// How long the samples of some series are kept.
#[derive(Debug, Clone)]
pub struct RetentionRule {
    /// The series that meet all of them, and that no earlier rule is for.
    pub matchers: Vec<Matcher>,
    /// Samples older than this are deleted; longer than [`Options::retention_ms`] as well as shorter.
    pub keep_ms: i64,
}

/// The part of a block's range that has to be outlived for a block to be written anew for it.
const WORTH: i64 = 4;

/// The oldest time that is kept, by rule.
#[derive(Debug, Default)]
pub(crate) struct Horizons {
    rules: Vec<(Vec<Matcher>, i64)>,
    /// Of the series that no rule is for.
    rest: i64,
    /// Blocks before this lose the series that no rule is for, of which aggregates are made.
    aggregated: i64,
}

/// As of the last upkeep.
#[derive(Debug, Default)]
pub(crate) struct Kept(RwLock<Option<Arc<Horizons>>>);

/// For each block, the oldest sample of the series of each rule, and of the rest.
pub(crate) type Oldest = HashMap<u64, Vec<Option<i64>>>;

impl Horizons {
    fn at(now_ms: i64, options: &Options) -> Self {
        let horizon = |keep_ms: i64| now_ms.saturating_sub(keep_ms);
        let rules = options.retention_rules.iter();
        let is_longer = |keep: i64| options.retention_rules.iter().any(|rule| rule.keep_ms > keep);
        // As long as no series is kept for longer, whole blocks go, and nothing before.
        let rest = options.retention_ms.filter(|keep| is_longer(*keep)).map_or(i64::MIN, horizon);
        // Where aggregates are made they are made of whole blocks, and until then nothing may be missing.
        let (rest, aggregated) =
            if options.downsampling.is_on() { (i64::MIN, rest) } else { (rest, i64::MIN) };
        let rules = rules.map(|rule| (rule.matchers.clone(), horizon(rule.keep_ms))).collect();
        Self { rules, rest, aggregated }
    }

    /// The number of the rule that a series falls under; that of the rest is one more than the last.
    fn rule(&self, labels: &Labels) -> usize {
        let met = |(matchers, _): &(Vec<Matcher>, i64)| meets(labels, &matchers.iter().collect::<Vec<_>>());
        self.rules.iter().position(met).unwrap_or(self.rules.len())
    }

    fn horizon(&self, rule: usize) -> i64 {
        self.rules.get(rule).map_or(self.rest, |(_, horizon)| *horizon)
    }

    /// The oldest time that is kept of a series.
    pub(crate) fn of(&self, labels: &Labels) -> i64 {
        self.horizon(self.rule(labels))
    }

    /// The oldest time that a rule keeps of a series; of what no rule is for, all.
    pub(crate) fn of_rule(&self, labels: &Labels) -> i64 {
        self.rules.get(self.rule(labels)).map_or(i64::MIN, |(_, horizon)| *horizon)
    }

    /// What of the chunks of a series is kept.
    pub(crate) fn strip(&self, labels: &Labels, chunks: Vec<Chunk>) -> Vec<Chunk> {
        let horizon = self.of(labels);
        if chunks.iter().all(|chunk| chunk.min_time >= horizon) {
            return chunks;
        }
        let outlived = Intervals::default().with(i64::MIN, horizon.saturating_sub(1));
        chunks.into_iter().filter_map(|chunk| outlived.strip(chunk)).collect()
    }
}

impl Kept {
    /// `None` where no series has a rule.
    pub(crate) fn horizons(&self) -> Option<Arc<Horizons>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Samples that are too old now are in no answer from here on.
    pub(crate) fn advance(&self, now_ms: i64, options: &Options) {
        if !options.retention_rules.is_empty() {
            let horizons = Arc::new(Horizons::at(now_ms, options));
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(horizons);
        }
    }
}

impl Options {
    /// The longest time that any sample is kept.
    pub(crate) fn longest_ms(&self) -> Option<i64> {
        let rules = self.retention_rules.iter().map(|rule| rule.keep_ms);
        self.retention_ms.map(|all| rules.fold(all, i64::max))
    }
}

impl Inner {
    /// Writes the blocks anew in which enough was outlived, without that.
    pub(crate) fn drop_outlived(
        &self,
        now_ms: i64,
        upkeep: &mut Upkeep,
        done: &mut Maintenance,
    ) -> Result<(), Error> {
        let Some(horizons) = self.kept.horizons() else { return Ok(()) };
        let blocks = self.blocks();
        upkeep.oldest.retain(|id, _| blocks.iter().any(|block| block.id == *id));
        let mut written = 0;
        let without_rest = Horizons { rules: horizons.rules.clone(), rest: i64::MAX, aggregated: i64::MIN };
        for block in blocks.iter().filter(|block| !self.damage.concerns(&block.dir)) {
            if written == MERGES {
                break;
            }
            let group = [Arc::clone(block)];
            if block.meta.max_time < horizons.aggregated && has_rest(block, &horizons, &mut upkeep.oldest)? {
                self.aggregate(&group, (now_ms, &mut *upkeep), done)?;
                self.merge_kept(&group, Some(&without_rest), upkeep)?;
            } else if self.is_outlived(block, &horizons, &mut upkeep.oldest)? {
                self.merge(&group, upkeep)?;
            } else {
                continue;
            }
            written += 1;
        }
        done.blocks_rewritten = written as u64;
        Ok(())
    }

    fn is_outlived(
        &self,
        block: &Arc<Block>,
        horizons: &Horizons,
        oldest: &mut Oldest,
    ) -> Result<bool, Error> {
        let rules = 0..=horizons.rules.len();
        if rules.clone().all(|rule| horizons.horizon(rule) <= block.meta.min_time) {
            return Ok(false);
        }
        let known = known_of(block, horizons, oldest)?;
        let part = block.meta.range_end.saturating_sub(block.meta.range_start) / WORTH;
        let worth = |rule: usize| {
            let (horizon, first) = (horizons.horizon(rule), known.get(rule).copied().flatten());
            first.is_some_and(|first| {
                first < horizon && (block.meta.max_time < horizon || horizon.saturating_sub(first) >= part)
            })
        };
        Ok(rules.into_iter().any(worth))
    }
}

/// Tells whether a block holds a series that no rule is for.
fn has_rest(block: &Arc<Block>, horizons: &Horizons, oldest: &mut Oldest) -> Result<bool, Error> {
    Ok(known_of(block, horizons, oldest)?.last().copied().flatten().is_some())
}

fn known_of<'o>(
    block: &Arc<Block>,
    horizons: &Horizons,
    oldest: &'o mut Oldest,
) -> Result<&'o Vec<Option<i64>>, Error> {
    Ok(match oldest.entry(block.id) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(oldest_of(block, horizons)?),
    })
}

fn oldest_of(block: &Arc<Block>, horizons: &Horizons) -> Result<Vec<Option<i64>>, Error> {
    let mut oldest = vec![None; horizons.rules.len() + 1];
    for series in block.cursor(&[], i64::MIN, i64::MAX) {
        let (labels, part) = series?;
        let known: &mut Option<i64> = &mut oldest[horizons.rule(&labels)];
        *known = known.iter().copied().chain(part.range().map(|(first, _)| first)).min();
    }
    Ok(oldest)
}
