//! What there is to query: label sets, the names of labels and their values.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::block::Block;
use crate::db::Db;
use crate::error::Error;
use crate::head::Head;
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::retention::Horizons;
use crate::texts::Texts;

/// First and last millisecond, both inclusive.
type Range = (i64, i64);

/// The set that every series meets.
const EVERYTHING: &[Vec<Matcher>] = &[Vec::new()];

impl Db {
    /// The label sets of the series that meet all matchers of any of the sets and have samples from `min_ms` to
    /// `max_ms`, sorted, each once. No set means all series.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn series(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Vec<Labels>, Error> {
        let sets = if sets.is_empty() { EVERYTHING } else { sets };
        let range = (min_ms, max_ms);
        let mut found = Vec::new();
        // The head first: what leaves it is in a block before, so nothing is missed.
        sets.iter()
            .for_each(|matchers| found = united(std::mem::take(&mut found), self.of_head(matchers, range)));
        for block in self.listed(min_ms, max_ms) {
            for matchers in sets {
                let mut of_block = Vec::new();
                self.visit_block(&block, matchers, range, |labels| of_block.push(labels))?;
                found = united(found, of_block);
            }
        }
        Ok(found)
    }

    /// The names of the labels of those series, sorted. Without sets the range is that of whole blocks and the head.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn label_names(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Texts, Error> {
        let range = (min_ms, max_ms);
        if sets.is_empty() {
            let of_block = |block: &Block| block.label_names().collect();
            return Ok(self.indexed(range, Head::label_names, of_block));
        }
        self.texts(sets, range, |labels, texts| labels.iter().for_each(|(name, _)| add(texts, name)))
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
    ) -> Result<Texts, Error> {
        let range = (min_ms, max_ms);
        if sets.is_empty() {
            let of_block = |block: &Block| block.label_values(name).collect();
            return Ok(self.indexed(range, |head| head.label_values(name), of_block));
        }
        self.texts(sets, range, |labels, texts| {
            labels.get(name).into_iter().for_each(|value| add(texts, value))
        })
    }

    /// The label sets of the series that meet all matchers of any of the sets and of which aggregates are left from `min_ms`
    /// to `max_ms`, sorted, each once. No set means all series.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn aggregated_series(
        &self,
        sets: &[Vec<Matcher>],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<Labels>, Error> {
        let sets = if sets.is_empty() { EVERYTHING } else { sets };
        let mut found = Vec::new();
        for block in self.0.tiers.iter().flat_map(|tier| tier.overlapping(min_ms, max_ms)) {
            for matchers in sets {
                let mut of_block = Vec::new();
                self.visit_block(&block, matchers, (min_ms, max_ms), |labels| of_block.push(labels))?;
                found = united(found, of_block);
            }
        }
        Ok(found)
    }

    /// The blocks in the range, of samples first: what leaves these is in aggregates before.
    fn listed(&self, min_ms: i64, max_ms: i64) -> Vec<Arc<Block>> {
        let mut blocks = self.overlapping(min_ms, max_ms);
        blocks.extend(self.0.tiers.iter().flat_map(|tier| tier.overlapping(min_ms, max_ms)));
        blocks
    }

    /// What the indices list, sorted, each once; each index lists sorted.
    fn indexed(
        &self,
        (min_ms, max_ms): Range,
        of_head: impl Fn(&Head) -> Texts,
        of_block: impl Fn(&Block) -> Texts,
    ) -> Texts {
        let head = &self.0.head;
        let found = if head.overlaps(min_ms, max_ms) { of_head(head) } else { Texts::default() };
        self.listed(min_ms, max_ms).iter().fold(found, |found, block| found.united(of_block(block)))
    }

    /// The texts that `take` adds of each of the series, sorted.
    fn texts(
        &self,
        sets: &[Vec<Matcher>],
        range: Range,
        take: impl Fn(&Labels, &mut HashSet<String>),
    ) -> Result<Texts, Error> {
        let mut texts = HashSet::new();
        for matchers in sets {
            self.of_head(matchers, range).iter().for_each(|labels| take(labels, &mut texts));
        }
        for block in self.listed(range.0, range.1) {
            for matchers in sets {
                self.visit_block(&block, matchers, range, |labels| take(&labels, &mut texts))?;
            }
        }
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.sort_unstable();
        Ok(texts.into_iter().collect())
    }

    /// The labels of the series in memory, sorted.
    fn of_head(&self, matchers: &[Matcher], range: Range) -> Vec<Labels> {
        let horizons = self.0.kept.horizons();
        let kept = |labels: &Labels| horizons.as_ref().map_or(i64::MIN, |kept| kept.of(labels));
        self.0.head.labels_of(matchers, range, kept)
    }

    /// Gives `visit` the labels of the series of a block, sorted.
    fn visit_block(
        &self,
        block: &Arc<Block>,
        matchers: &[Matcher],
        range: Range,
        mut visit: impl FnMut(Labels),
    ) -> Result<(), Error> {
        let horizons = self.0.kept.horizons();
        for series in block.cursor(matchers, range.0, range.1) {
            let (labels, part) = series?;
            let newest = part.range().map_or(i64::MIN, |(_, newest)| newest);
            let oldest = |kept: &Horizons| match block.resolution() {
                Some(_) => kept.of_rule(&labels),
                None => kept.of(&labels),
            };
            if horizons.as_deref().is_none_or(|kept| newest >= oldest(kept)) {
                visit(labels);
            }
        }
        Ok(())
    }
}

fn add(texts: &mut HashSet<String>, text: &str) {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
}

/// Two sorted lists as one, each item once.
fn united<T: Ord>(mut found: Vec<T>, more: Vec<T>) -> Vec<T> {
    if found.is_empty() {
        return more;
    }
    if more.is_empty() {
        return found;
    }
    found.extend(more);
    // The stable sort knows lists that are in order, and merges them.
    found.sort();
    found.dedup();
    found
}
