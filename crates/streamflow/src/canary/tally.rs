//! What is counted of the answers of two versions, in bounded memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Entities whose scores are kept: those with the smallest hashes, a random choice of them.
const ENTITIES: usize = 1_000;

/// Latencies are counted in classes of a quarter of a doubling, from ten microseconds to two and a half minutes.
const CLASSES: usize = 96;
const SHORTEST_SECONDS: f64 = 10e-6;

/// A bounded random choice of entities, each once with its last value: who asks often weighs no more than others.
#[derive(Debug)]
struct Sketch<T>(Mutex<BTreeMap<u64, T>>);

impl<T> Default for Sketch<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Sketch<T> {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, T>> {
        // What a panic has left is a choice with one entity more or less.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, hash: u64, value: T) {
        let mut kept = self.locked();
        if kept.len() >= ENTITIES && kept.last_key_value().is_some_and(|(largest, _)| hash > *largest) {
            return;
        }
        kept.insert(hash, value);
        if kept.len() > ENTITIES {
            kept.pop_last();
        }
    }

    fn values(&self) -> Vec<T> {
        self.locked().values().copied().collect()
    }
}

/// Counts of one version's requests, filled while they are answered.
#[derive(Debug)]
pub struct Counts {
    requests: AtomicU64,
    errors: AtomicU64,
    latencies: [AtomicU64; CLASSES],
    scores: Sketch<f64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latencies: std::array::from_fn(|_| AtomicU64::new(0)),
            scores: Sketch::default(),
        }
    }
}

impl Counts {
    /// Counts a request that was answered.
    pub fn request(&self, is_error: bool, latency: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(is_error), Ordering::Relaxed);
        self.latencies[class_of(latency)].fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the score of an entity; one that is no number is left out.
    pub fn score(&self, entity_hash: u64, score: f64) {
        if !score.is_nan() {
            self.scores.add(entity_hash, score);
        }
    }

    /// What was counted so far.
    pub fn tally(&self) -> ArmTally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut latencies: Vec<u64> = self.latencies.iter().map(of).collect();
        while latencies.last() == Some(&0) {
            latencies.pop();
        }
        ArmTally {
            requests: of(&self.requests),
            errors: of(&self.errors),
            latencies,
            scores: self.scores.values(),
        }
    }
}

fn class_of(latency: Duration) -> usize {
    let doublings = (latency.as_secs_f64() / SHORTEST_SECONDS).max(1.0).log2();
    // Finite and not negative, so the cast only cuts off the fraction.
    ((4.0 * doublings) as usize).min(CLASSES - 1)
}

/// The shortest latency of a class, in seconds.
fn lower_seconds(class: usize) -> f64 {
    SHORTEST_SECONDS * (class as f64 / 4.0).exp2()
}

/// Counts of one version's requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmTally {
    /// All of them.
    pub requests: u64,
    /// Answers that are neither 200 nor that of an unknown entity, and those with a row that the version did not take.
    pub errors: u64,
    /// Requests by the class of their latency.
    pub latencies: Vec<u64>,
    /// The last score of at most a thousand entities, in any order.
    pub scores: Vec<f64>,
}

impl ArmTally {
    /// Adds what another process has counted. Its requests are others; its entities may be the same, so the scores are those
    /// of the process that has more of them.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.requests += other.requests;
        self.errors += other.errors;
        if self.latencies.len() < other.latencies.len() {
            self.latencies.resize(other.latencies.len(), 0);
        }
        for (own, others) in self.latencies.iter_mut().zip(&other.latencies) {
            *own += others;
        }
        if other.scores.len() > self.scores.len() {
            self.scores = other.scores;
        }
        self
    }

    /// The share of the requests that were errors; 0 without requests.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        self.errors as f64 / self.requests.max(1) as f64
    }

    /// A latency in seconds that this share of the requests do not exceed, rounded up by at most 19 %; none without
    /// requests.
    pub fn latency_quantile(&self, share: f64) -> Option<f64> {
        let needed = share * self.requests as f64;
        let mut counted = 0;
        for (class, count) in self.latencies.iter().enumerate() {
            counted += count;
            if counted > 0 && counted as f64 >= needed {
                return Some(lower_seconds(class + 1));
            }
        }
        None
    }

    /// Requests that took at least so long for certain.
    pub fn slower_than(&self, seconds: f64) -> u64 {
        let classes = self.latencies.iter().enumerate();
        // A hair below, for a limit that is the border of a class.
        classes
            .filter(|(class, _)| lower_seconds(*class) >= seconds * (1.0 - 1e-9))
            .map(|(_, count)| count)
            .sum()
    }

    /// The mean score of the entities that are kept; none without one.
    pub fn mean_score(&self) -> Option<f64> {
        (!self.scores.is_empty()).then(|| self.scores.iter().sum::<f64>() / self.scores.len() as f64)
    }
}

/// What two versions said of the same entity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The score that was given.
    pub given: f64,
    /// The score of the version that is not heard.
    pub unheard: f64,
    /// Whether the classes differ; none of a regression.
    pub differs: Option<bool>,
    /// Of two classes: 1 where only the version that is not heard says the positive one, -1 where only the other does.
    pub turn: i8,
}

/// Counts of rows that two versions have answered, filled while they are scored.
#[derive(Debug, Default)]
pub struct PairCounts {
    rows: AtomicU64,
    refused: AtomicU64,
    pairs: Sketch<Pair>,
}

impl PairCounts {
    /// Counts a row that both have answered.
    pub fn pair(&self, entity_hash: u64, pair: Pair) {
        self.rows.fetch_add(1, Ordering::Relaxed);
        if !pair.given.is_nan() && !pair.unheard.is_nan() {
            self.pairs.add(entity_hash, pair);
        }
    }

    /// Counts a row that the version that is not heard does not take.
    pub fn refused(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn tally(&self) -> PairTally {
        PairTally {
            rows: self.rows.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            pairs: self.pairs.values(),
        }
    }
}

/// Counts of rows that two versions have answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairTally {
    /// All of them.
    pub rows: u64,
    /// Rows that the version that is not heard did not take.
    pub refused: u64,
    /// The last pair of at most a thousand entities, in any order.
    pub pairs: Vec<Pair>,
}

impl PairTally {
    /// As [`ArmTally::merged`].
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.refused += other.refused;
        if other.pairs.len() > self.pairs.len() {
            self.pairs = other.pairs;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_rounded_up_by_less_than_a_fifth() {
        let counts = Counts::default();
        for ms in 1..=1000_u64 {
            counts.request(ms % 100 == 0, Duration::from_millis(ms));
        }
        let tally = counts.tally();
        assert_eq!((tally.requests, tally.errors), (1000, 10));
        for (share, seconds) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0)] {
            let found = tally.latency_quantile(share).unwrap();
            assert!(found >= seconds && found < seconds * 1.2, "{share}: {found}");
        }
        let limit = tally.latency_quantile(0.99).unwrap();
        assert!(tally.slower_than(limit) <= 10, "{}", tally.slower_than(limit));
        assert_eq!(tally.slower_than(0.0), 1000);
        assert_eq!(ArmTally::default().latency_quantile(0.99), None);
    }

    #[test]
    fn no_latency_is_out_of_range() {
        let counts = Counts::default();
        for latency in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            counts.request(false, latency);
        }
        assert_eq!(counts.tally().latencies.len(), CLASSES);
    }

    #[test]
    fn an_entity_counts_once_with_its_last_score_and_memory_is_bounded() {
        let counts = Counts::default();
        for asked in 0..5_000_u64 {
            counts.score(asked % 7, asked as f64);
        }
        counts.score(8, f64::NAN);
        assert_eq!(counts.tally().scores.len(), 7);
        for entity in 0..10_000_u64 {
            counts.score(entity, 0.5);
        }
        let tally = counts.tally();
        assert_eq!(tally.scores.len(), ENTITIES);
        assert_eq!(tally.mean_score(), Some(0.5));
    }

    #[test]
    fn processes_are_added_and_entities_are_not_counted_twice() {
        let counted = |requests, scores| {
            let counts = Counts::default();
            (0..requests).for_each(|_| counts.request(false, Duration::from_millis(requests)));
            (0..scores).for_each(|entity| counts.score(entity, 0.1));
            counts.tally()
        };
        let merged = counted(3, 2).merged(counted(40, 5));
        assert_eq!((merged.requests, merged.scores.len(), merged.latencies.iter().sum::<u64>()), (43, 5, 43));
        assert_eq!(counted(40, 5).merged(counted(3, 2)), merged);
    }
}
