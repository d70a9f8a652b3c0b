//! The blocks of aggregates of one resolution.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::Resolution;
use crate::block::Block;
use crate::damage::DamageLog;
use crate::error::Error;
use crate::files;
use crate::recover::open_blocks;

/// Folder of a store with a folder for each resolution.
pub(crate) const AGGREGATES: &str = "aggregates";

/// The blocks of aggregates of one resolution.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) resolution: Resolution,
    blocks: RwLock<Arc<[Arc<Block>]>>,
}

impl Tier {
    /// Without any.
    pub(crate) fn empty(resolution: Resolution) -> Self {
        Self { resolution, blocks: RwLock::new(Arc::new([])) }
    }

    /// Where those of a store lie.
    pub(crate) fn dir(store: &Path, resolution: Resolution) -> PathBuf {
        store.join(AGGREGATES).join(resolution.name())
    }

    /// Opens those of a store; with the highest number of a block. Where there is no folder there are none, and none is made.
    pub(crate) fn open(
        store: &Path,
        resolution: Resolution,
        damage: &Arc<DamageLog>,
        remove: bool,
    ) -> Result<(Self, u64), Error> {
        let dir = Self::dir(store, resolution);
        if !dir.is_dir() {
            return Ok((Self::empty(resolution), 0));
        }
        if remove {
            files::remove_unfinished(&dir)?;
        }
        let (blocks, last) = open_blocks(&dir, Some(resolution), damage, remove)?;
        Ok((Self { resolution, blocks: RwLock::new(blocks.into()) }, last))
    }

    pub(crate) fn blocks(&self) -> Arc<[Arc<Block>]> {
        Arc::clone(&self.blocks.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change_blocks(&self, change: impl FnOnce(&mut Vec<Arc<Block>>)) {
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = blocks.to_vec();
        change(&mut changed);
        changed.sort_by_key(|block| (block.meta.min_time, block.id));
        *blocks = changed.into();
    }

    /// The blocks in the range; of those that know something of the same time the first is right.
    pub(crate) fn overlapping(&self, min_ms: i64, max_ms: i64) -> Vec<Arc<Block>> {
        let blocks = self.blocks();
        let mut blocks: Vec<_> =
            blocks.iter().filter(|block| block.meta.overlaps(min_ms, max_ms)).cloned().collect();
        blocks.sort_by_key(|block| block.rank());
        blocks
    }
}
