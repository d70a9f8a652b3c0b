//! One minute of traffic: a bounded sample of its entities, and counts of its requests.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::feature::Value;
use crate::reference::Reference;
use crate::sample::Sample;
use crate::window::{BLOCK_ENTITIES, BLOCK_MINUTES, block_of};

/// Entities that a minute keeps: ten a second.
pub(crate) const MINUTE_ENTITIES: usize = 600;

/// What a request came to, as far as drift cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was answered.
    Answered,
    /// The entity is unknown: 404.
    Unknown,
    /// It was malformed, or the model did not take its features: 422, or 400.
    Invalid,
    /// All else, such as overload.
    Other,
}

impl Status {
    /// By the status code of the answer.
    #[must_use]
    pub fn of_code(code: u16) -> Self {
        match code {
            200..=299 => Status::Answered,
            404 => Status::Unknown,
            400 | 422 => Status::Invalid,
            _ => Status::Other,
        }
    }
}

/// Requests by what they came to, and rows by class: every row, however often an entity asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    pub(crate) statuses: [u64; 4],
    /// A list a column.
    pub(crate) rows: Vec<Vec<u64>>,
}

impl Counters {
    fn new(shape: &[usize]) -> Self {
        Self { statuses: [0; 4], rows: shape.iter().map(|&classes| vec![0; classes]).collect() }
    }

    /// Classes of each column, missing included.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.rows.iter().map(Vec::len).collect()
    }

    /// Requests of this status.
    #[must_use]
    pub fn requests_of(&self, status: Status) -> u64 {
        self.statuses[status as usize]
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.statuses.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Rows by class, a list a column.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// Adds what another counted; columns that only one has stay as they are.
    pub(crate) fn add(&mut self, other: &Counters) {
        let add = |sum: &mut u64, more: &u64| *sum = sum.saturating_add(*more);
        self.statuses.iter_mut().zip(&other.statuses).for_each(|(sum, more)| add(sum, more));
        for (sums, more) in self.rows.iter_mut().zip(&other.rows) {
            sums.iter_mut().zip(more).for_each(|(sum, more)| add(sum, more));
        }
    }

    pub(crate) fn sum<'a>(shape: &[usize], all: impl IntoIterator<Item = &'a Counters>) -> Self {
        let mut sum = Self::new(shape);
        all.into_iter().for_each(|counters| sum.add(counters));
        sum
    }
}

/// Traffic of a minute, or of several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// The first minute, in minutes since 1970.
    pub start: i64,
    /// Number of minutes, at least 1.
    pub minutes: u32,
    /// Its entities.
    pub sample: Sample,
    /// Its requests. Counts of replicas add up, so merging a minute with itself counts it twice; the sample does not.
    pub counters: Counters,
}

impl Minute {
    /// What several of them come to, bounded to `most` entities; they span from the first to the last.
    pub(crate) fn merged(parts: &[&Minute], shape: &[usize], most: usize) -> Option<Self> {
        let start = parts.iter().map(|part| part.start).min()?;
        let end = parts.iter().map(|part| part.end()).max()?;
        Some(Self {
            start,
            minutes: u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX).max(1),
            sample: Sample::union(shape.len(), parts.iter().map(|part| &part.sample), most),
            counters: Counters::sum(shape, parts.iter().map(|part| &part.counters)),
        })
    }

    /// The quarter of an hour that these minutes are parts of, as it is stored; none of no minutes.
    #[must_use]
    pub fn block(parts: &[Minute]) -> Option<Self> {
        let shape = parts.first()?.counters.shape();
        let parts: Vec<&Minute> = parts.iter().filter(|part| part.counters.shape() == shape).collect();
        let block = block_of(parts.first()?.start);
        let merged = Self::merged(&parts, &shape, BLOCK_ENTITIES)?;
        Some(Self { start: block.saturating_mul(BLOCK_MINUTES), minutes: BLOCK_MINUTES as u32, ..merged })
    }

    /// Whether there was no request and no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sample.is_empty() && self.counters.requests() == 0
    }

    /// The minute after its last.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.start.saturating_add(i64::from(self.minutes))
    }
}

/// The minute that is being filled. Adding a row takes tens of nanoseconds and bounded memory.
#[derive(Debug)]
pub struct OpenMinute {
    width: usize,
    places: HashMap<u64, u32, BuildHasherDefault<OfHash>>,
    hashes: Vec<u64>,
    at_ms: Vec<u64>,
    classes: Vec<u8>,
    /// Hashes from here on are not among the smallest.
    bound: u64,
    statuses: [u64; 4],
    /// Rows by class, all columns one after the other; `ends` says where each ends.
    rows: Vec<u64>,
    ends: Vec<usize>,
    row: Vec<u8>,
}

impl OpenMinute {
    pub(crate) fn new(shape: &[usize]) -> Self {
        let ends = shape.iter().scan(0, |end, classes| {
            *end += classes;
            Some(*end)
        });
        Self {
            width: shape.len(),
            places: HashMap::default(),
            hashes: Vec::new(),
            at_ms: Vec::new(),
            classes: Vec::new(),
            bound: u64::MAX,
            statuses: [0; 4],
            rows: vec![0; shape.iter().sum()],
            ends: ends.collect(),
            row: Vec::with_capacity(shape.len()),
        }
    }

    /// Adds a row of an entity. `reference` is the one that the minute was opened with, `values` are its columns.
    pub fn add(&mut self, reference: &Reference, hash: u64, at_ms: u64, values: &[Value<'_>]) {
        let mut row = std::mem::take(&mut self.row);
        reference.classify(values.iter().copied(), &mut row);
        self.add_classes(hash, at_ms, &row);
        self.row = row;
    }

    /// Adds a row that is classed already; one of another width is left out.
    pub fn add_classes(&mut self, hash: u64, at_ms: u64, row: &[u8]) {
        if row.len() != self.width {
            return;
        }
        let mut start = 0;
        for (&class, &end) in row.iter().zip(&self.ends) {
            let place = start + usize::from(class);
            if place < end {
                self.rows[place] += 1;
            }
            start = end;
        }
        if hash >= self.bound {
            return;
        }
        if let Some(&place) = self.places.get(&hash) {
            let place = place as usize;
            let old = &mut self.classes[place * self.width..][..self.width];
            if (at_ms, row) > (self.at_ms[place], &*old) {
                old.copy_from_slice(row);
                self.at_ms[place] = at_ms;
            }
            return;
        }
        self.places.insert(hash, self.hashes.len() as u32);
        self.hashes.push(hash);
        self.at_ms.push(at_ms);
        self.classes.extend_from_slice(row);
        if self.hashes.len() >= 2 * MINUTE_ENTITIES {
            self.prune();
        }
    }

    /// Counts a request by what it came to.
    pub fn count(&mut self, status: Status) {
        self.statuses[status as usize] += 1;
    }

    /// Counts so many requests.
    pub fn count_many(&mut self, status: Status, number: u64) {
        let count = &mut self.statuses[status as usize];
        *count = count.saturating_add(number);
    }

    /// Whether nothing was added or counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty() && self.statuses == [0; 4]
    }

    fn sample(&self) -> Sample {
        let rows = self.hashes.iter().zip(&self.at_ms).enumerate();
        let rows = rows.map(|(at, (hash, ms))| (*hash, *ms, &self.classes[at * self.width..][..self.width]));
        Sample::of_rows(self.width, rows, MINUTE_ENTITIES)
    }

    /// Keeps the smallest hashes only. Half of the rows go, so a row is looked at twice on average.
    fn prune(&mut self) {
        let Sample { hashes, at_ms, classes, .. } = self.sample();
        self.bound = hashes.last().map_or(u64::MAX, |last| last.saturating_add(1));
        self.places.clear();
        self.places.extend(hashes.iter().enumerate().map(|(at, &hash)| (hash, at as u32)));
        (self.hashes, self.at_ms, self.classes) = (hashes, at_ms, classes);
    }

    /// What was added, as the minute `start` since 1970.
    #[must_use]
    pub fn close(self, start: i64) -> Minute {
        let mut counters = Counters { statuses: self.statuses, rows: Vec::with_capacity(self.width) };
        let mut from = 0;
        for &end in &self.ends {
            counters.rows.push(self.rows[from..end].to_vec());
            from = end;
        }
        Minute { start, minutes: 1, sample: self.sample(), counters }
    }
}

/// The hash of what is a hash already.
#[derive(Debug, Default)]
struct OfHash(u64);

impl Hasher for OfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| hash.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPE: [usize; 2] = [4, 3];

    type Rows = Vec<(u64, u64, [u8; 2])>;

    fn rows() -> impl Strategy<Value = Rows> {
        // Few hashes and times, so that entities repeat and tie.
        prop::collection::vec((0_u64..40, 0_u64..5, (0_u8..4, 0_u8..3).prop_map(|(a, b)| [a, b])), 0..80)
    }

    fn minute(rows: &Rows) -> Minute {
        let mut open = OpenMinute::new(&SHAPE);
        rows.iter().for_each(|(hash, at_ms, row)| open.add_classes(*hash, *at_ms, row));
        open.close(7)
    }

    proptest! {
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in rows(), b in rows(), c in rows()) {
            let [a, b, c] = [minute(&a), minute(&b), minute(&c)];
            let merged = |a: &Minute, b: &Minute| Minute::merged(&[a, b], &SHAPE, MINUTE_ENTITIES).unwrap();
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&a, &a).sample, &a.sample);
        }

        #[test]
        fn bounded_unions_merge_as_one_sample_would(
            a in rows(), b in rows(), c in rows(), most in 1_usize..20,
        ) {
            let samples = [minute(&a).sample, minute(&b).sample, minute(&c).sample];
            let bounded = |parts: &[&Sample]| Sample::union(2, parts.iter().copied(), most);
            let all = bounded(&[&samples[0], &samples[1], &samples[2]]);
            let [x, y, z] = &samples;
            prop_assert_eq!(&bounded(&[&bounded(&[x, y]), z]), &all);
            prop_assert_eq!(&bounded(&[&bounded(&[z]), &bounded(&[y, x])]), &all);
        }

        #[test]
        fn an_entity_counts_once_with_its_last_row(rows in rows()) {
            let minute = minute(&rows);
            let mut last = std::collections::BTreeMap::new();
            for (hash, at_ms, row) in &rows {
                let newest = last.entry(*hash).or_insert((*at_ms, *row));
                *newest = (*newest).max((*at_ms, *row));
            }
            let expected: Vec<_> = last.iter().map(|(hash, (at, row))| (*hash, *at, &row[..])).collect();
            prop_assert_eq!(minute.sample.rows().collect::<Vec<_>>(), expected);
            let counted: u64 = minute.counters.rows[0].iter().sum();
            prop_assert_eq!(counted, rows.len() as u64);
            let entities: u64 = minute.sample.counts(&SHAPE)[0].iter().sum();
            prop_assert_eq!(entities, last.len() as u64);
        }
    }

    #[test]
    fn a_crowded_minute_keeps_the_smallest_hashes() {
        let mut open = OpenMinute::new(&[3]);
        let hash = |i: u64| crate::entity_hash(1, &i.to_le_bytes());
        for i in (0..50_000).chain(0..50_000) {
            open.add_classes(hash(i), i, &[(i % 2) as u8]);
            assert!(open.hashes.len() < 2 * MINUTE_ENTITIES);
        }
        let mut expected: Vec<u64> = (0..50_000).map(hash).collect();
        expected.sort_unstable();
        expected.truncate(MINUTE_ENTITIES);
        let minute = open.close(0);
        assert_eq!(minute.sample.hashes, expected);
        assert_eq!(minute.counters.rows, [[50_000, 50_000, 0]]);
    }

    #[test]
    fn a_forgotten_entity_is_gone() {
        let mut sample = minute(&vec![(1, 0, [0, 0]), (2, 0, [1, 1]), (3, 0, [2, 2])]).sample;
        assert!(sample.forget(2) && !sample.forget(2));
        assert_eq!(
            sample.rows().map(|row| (row.0, row.2.to_vec())).collect::<Vec<_>>(),
            [(1, vec![0, 0]), (3, vec![2, 2])]
        );
    }
}
