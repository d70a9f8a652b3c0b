//! Selecting: the head and every block that overlaps the range, merged by labels.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::block::{Block, BlockPart};
use crate::db::Db;
use crate::error::Error;
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::series::Part;
use crate::series::Series;

impl Db {
    /// The series that meet all matchers and have samples from `min_ms` to `max_ms`, both inclusive, sorted by labels;
    /// without matchers all series. Samples are decoded when they are read. A series whose chunks reach into the
    /// range, but none of whose samples lies there, may be among them: it reads as empty.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn select(&self, matchers: &[Matcher], min_ms: i64, max_ms: i64) -> Result<Vec<Series>, Error> {
        // The head first: what leaves it is in a block before, so nothing is missed, and what is seen twice is merged.
        let head = self.0.head.select(matchers, min_ms, max_ms);
        let horizons = self.0.kept.horizons();
        let blocks = self.overlapping(min_ms, max_ms);
        if blocks.is_empty() && horizons.is_none() {
            return Ok(head);
        }
        let mut merged: Vec<(Labels, Vec<Part>)> = Vec::new();
        for block in blocks {
            let found: Vec<(Labels, BlockPart)> =
                block.cursor(matchers, min_ms, max_ms).collect::<Result<_, _>>()?;
            merged = merge(merged, found.into_iter().map(|(labels, part)| (labels, vec![Part::Block(part)])));
        }
        merged = merge(merged, head.into_iter().map(|series| (series.labels, series.parts.to_vec())));
        let series = |(labels, parts): (Labels, Vec<Part>)| {
            let min_ms = horizons.as_ref().map_or(min_ms, |horizons| horizons.of(&labels).max(min_ms));
            (min_ms <= max_ms).then(|| Series { labels, parts: parts.into(), min_ms, max_ms })
        };
        Ok(merged.into_iter().filter_map(series).collect())
    }

    /// The blocks in the range; of those with a sample at the same time the first is right.
    pub(crate) fn overlapping(&self, min_ms: i64, max_ms: i64) -> Vec<Arc<Block>> {
        let blocks = self.0.blocks();
        let mut blocks: Vec<_> =
            blocks.iter().filter(|block| block.meta.overlaps(min_ms, max_ms)).cloned().collect();
        blocks.sort_by_key(|block| block.rank());
        blocks
    }
}

/// Two lists, each sorted by labels, as one; the parts of the second go behind those of the first.
fn merge(
    first: Vec<(Labels, Vec<Part>)>,
    second: impl ExactSizeIterator<Item = (Labels, Vec<Part>)>,
) -> Vec<(Labels, Vec<Part>)> {
    let mut merged = Vec::with_capacity(first.len().max(second.len()));
    let (mut first, mut second) = (first.into_iter().peekable(), second.peekable());
    loop {
        let order = match (first.peek(), second.peek()) {
            (None, None) => return merged,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let later = if order == Ordering::Less { None } else { second.next() };
        let earlier = if order == Ordering::Greater { None } else { first.next() };
        match (earlier, later) {
            (Some(mut earlier), Some(later)) => {
                earlier.1.extend(later.1);
                merged.push(earlier);
            }
            (one, other) => merged.extend(one.or(other)),
        }
    }
}
