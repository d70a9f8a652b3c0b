//! Selecting: the head and every block that overlaps the range, merged by labels.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::aggregates::{OlderParts, Resolution};
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
            let (older, kept_ms) = (None, min_ms);
            (min_ms <= max_ms).then(|| Series { labels, parts: parts.into(), min_ms, max_ms, older, kept_ms })
        };
        Ok(merged.into_iter().filter_map(series).collect())
    }

    /// As [`Db::select`], with what is left of samples that are gone: of these resolutions, the one that is preferred in
    /// front. [`Series::read_with_older`] reads it.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn select_with_older(
        &self,
        matchers: &[Matcher],
        (min_ms, max_ms): (i64, i64),
        resolutions: &[Resolution],
    ) -> Result<Vec<Series>, Error> {
        if !self.has_aggregates(min_ms, max_ms, resolutions) {
            let selected = self.select(matchers, min_ms, max_ms)?;
            // What left the store meanwhile is in aggregates since before it left.
            if !self.has_aggregates(min_ms, max_ms, resolutions) {
                return Ok(selected);
            }
        }
        // Whether anything of a window is left is told by all of the window.
        let widest = resolutions.iter().map(|resolution| resolution.ms()).max().unwrap_or(0);
        let wide = (min_ms.saturating_sub(widest), max_ms.saturating_add(widest));
        let samples = self.select(matchers, wide.0, wide.1)?;
        let mut older: Vec<(Labels, OlderParts)> = Vec::new();
        for resolution in resolutions {
            for block in self.0.tier(*resolution).overlapping(wide.0, wide.1) {
                let found: Vec<(Labels, BlockPart)> =
                    block.cursor(matchers, wide.0, wide.1).collect::<Result<_, _>>()?;
                let found = found.into_iter().map(|(labels, part)| (labels, vec![(*resolution, vec![part])]));
                older = merge(older, found);
            }
        }
        Ok(self.with_older(samples, older, (min_ms, max_ms)))
    }

    fn has_aggregates(&self, min_ms: i64, max_ms: i64, resolutions: &[Resolution]) -> bool {
        resolutions.iter().any(|resolution| {
            self.0.tier(*resolution).blocks().iter().any(|block| block.meta.overlaps(min_ms, max_ms))
        })
    }

    /// What was found of each series, by labels; `samples` were selected of a wider range than this one.
    fn with_older(
        &self,
        samples: Vec<Series>,
        older: Vec<(Labels, OlderParts)>,
        (min_ms, max_ms): (i64, i64),
    ) -> Vec<Series> {
        let horizons = self.0.kept.horizons();
        let mut found = Vec::with_capacity(samples.len().max(older.len()));
        let mut older = older.into_iter().peekable();
        let without_samples = |(labels, parts): (Labels, OlderParts)| {
            let kept_ms = horizons.as_ref().map_or(i64::MIN, |horizons| horizons.of_rule(&labels));
            let min_ms = min_ms.max(kept_ms);
            Series { labels, parts: Vec::new().into(), min_ms, max_ms, older: Some(Arc::new(parts)), kept_ms }
        };
        for mut series in samples {
            while let Some(before) = older.next_if(|(labels, _)| *labels < series.labels) {
                found.push(without_samples(before));
            }
            // What is kept was put in when samples were selected.
            series.min_ms = series.min_ms.max(min_ms);
            series.max_ms = max_ms;
            if let Some(parts) = older.next_if(|(labels, _)| *labels == series.labels) {
                let parts = without_samples(parts);
                (series.older, series.kept_ms) = (parts.older, parts.kept_ms);
            }
            found.push(series);
        }
        found.extend(older.map(without_samples));
        found.retain(|series| series.min_ms <= series.max_ms);
        found
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
fn merge<T>(
    first: Vec<(Labels, Vec<T>)>,
    second: impl ExactSizeIterator<Item = (Labels, Vec<T>)>,
) -> Vec<(Labels, Vec<T>)> {
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
