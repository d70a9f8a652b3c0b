//! Selecting: the head and every block that overlaps the range, merged by labels.

use std::cmp::Ordering;
use std::collections::BTreeSet;
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
    fn overlapping(&self, min_ms: i64, max_ms: i64) -> Vec<Arc<Block>> {
        let blocks = self.0.blocks();
        let mut blocks: Vec<_> =
            blocks.iter().filter(|block| block.meta.overlaps(min_ms, max_ms)).cloned().collect();
        blocks.sort_by_key(|block| block.rank());
        blocks
    }

    /// Tells whether any series in memory has a sample in the range: mostly the first has.
    fn head_overlaps(&self, min_ms: i64, max_ms: i64) -> bool {
        let overlaps = |(oldest, newest): (i64, i64)| oldest <= max_ms && newest >= min_ms;
        self.0.head.series().iter().any(|series| series.lock().range().is_some_and(overlaps))
    }

    /// The label sets of the series that meet all matchers of any of the sets and have samples from `min_ms` to
    /// `max_ms`, sorted, each once. No set means all series.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn series(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Vec<Labels>, Error> {
        let horizons = self.0.kept.horizons();
        let everything = [Vec::new()];
        let sets = if sets.is_empty() { everything.as_slice() } else { sets };
        let mut found = BTreeSet::new();
        for matchers in sets {
            for series in self.0.head.matching(matchers, min_ms, max_ms) {
                if horizons
                    .as_ref()
                    .is_none_or(|kept| series.lock().overlaps(kept.of(&series.labels), max_ms))
                {
                    found.insert(series.labels.clone());
                }
            }
            for block in self.overlapping(min_ms, max_ms) {
                for series in block.cursor(matchers, min_ms, max_ms) {
                    let (labels, part) = series?;
                    let newest = part.range().map_or(i64::MIN, |(_, newest)| newest);
                    if horizons.as_ref().is_none_or(|kept| newest >= kept.of(&labels)) {
                        found.insert(labels);
                    }
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The names of the labels of those series, sorted. Without sets the range is that of whole blocks and the head.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn label_names(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Vec<String>, Error> {
        if sets.is_empty() {
            let mut names = BTreeSet::new();
            if self.head_overlaps(min_ms, max_ms) {
                names.extend(self.0.head.label_names());
            }
            for block in self.overlapping(min_ms, max_ms) {
                names.extend(block.label_names().map(str::to_owned));
            }
            return Ok(names.into_iter().collect());
        }
        let series = self.series(sets, min_ms, max_ms)?;
        let names: BTreeSet<&str> =
            series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// The values that this label has in those series, sorted. Without sets the range is that of whole blocks and the
    /// head.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<String>, Error> {
        if sets.is_empty() {
            let mut values = BTreeSet::new();
            if self.head_overlaps(min_ms, max_ms) {
                values.extend(self.0.head.label_values(name));
            }
            for block in self.overlapping(min_ms, max_ms) {
                values.extend(block.label_values(name).map(str::to_owned));
            }
            return Ok(values.into_iter().collect());
        }
        let series = self.series(sets, min_ms, max_ms)?;
        let values: BTreeSet<&str> = series.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
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
