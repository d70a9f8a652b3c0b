//! Exemplars of scrapes and of remote write, kept in memory.
//!
//! As in Prometheus they live apart from samples, as many of them as [`KEPT_MAX`], and not over a restart. The oldest give
//! way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use streamflow_tsdb::{Labels, Matcher};
use tokio::sync::broadcast;

/// Most exemplars of all series together: Prometheus's default.
pub const KEPT_MAX: usize = 100_000;
/// Most characters of an exemplar's labels, names and values together, as OpenMetrics has it.
const CHARACTERS_MAX: usize = 128;

/// Exemplars that may wait for one who follows.
const FEED: usize = 16_384;

/// An example behind a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// What tells where it comes from, such as `trace_id`.
    pub labels: Labels,
    /// The example's value.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// The exemplars of a server.
#[derive(Debug)]
pub struct Exemplars {
    kept: Mutex<Kept>,
    most: usize,
    /// For those who want each as it comes.
    feed: broadcast::Sender<(Labels, Exemplar)>,
}

#[derive(Debug, Default)]
struct Kept {
    series: HashMap<Labels, VecDeque<Exemplar>>,
    /// The series of every exemplar, in the order in which they came.
    order: VecDeque<Labels>,
}

impl Default for Exemplars {
    fn default() -> Self {
        Self::new(KEPT_MAX)
    }
}

impl Exemplars {
    /// Keeps at most so many, at least one.
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most: most.max(1), feed: broadcast::channel(FEED).0 }
    }

    /// Every exemplar that is kept from now on. One who reads too slowly misses the oldest, and is told how many.
    pub fn follow(&self) -> broadcast::Receiver<(Labels, Exemplar)> {
        self.feed.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an exemplar of a series; says whether it did. One that is there already, is older than the newest of its
    /// series, or has longer labels than OpenMetrics allows is not kept.
    pub fn add(&self, series: &Labels, exemplar: Exemplar) -> bool {
        let characters = |(name, value): (&str, &str)| name.chars().count() + value.chars().count();
        if exemplar.labels.iter().map(characters).sum::<usize>() > CHARACTERS_MAX {
            return false;
        }
        let mut kept = self.kept();
        let newest = kept.series.get(series).and_then(|known| known.back());
        if newest.is_some_and(|newest| {
            exemplar.timestamp_ms < newest.timestamp_ms
                || (exemplar.timestamp_ms == newest.timestamp_ms
                    && exemplar.labels == newest.labels
                    && exemplar.value.to_bits() == newest.value.to_bits())
        }) {
            return false;
        }
        while kept.order.len() >= self.most {
            kept.forget_oldest();
        }
        // An error says that nobody follows.
        let _ = self.feed.send((series.clone(), exemplar.clone()));
        kept.order.push_back(series.clone());
        kept.series.entry(series.clone()).or_default().push_back(exemplar);
        true
    }

    /// The exemplars between two times, both included, of every series that one of the selectors means; by the labels of
    /// the series.
    pub fn select(
        &self,
        selectors: &[Vec<Matcher>],
        min_ms: i64,
        max_ms: i64,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let is_meant = |labels: &Labels| {
            let value = |matcher: &Matcher| labels.get(matcher.name()).unwrap_or_default();
            selectors.iter().any(|matchers| matchers.iter().all(|one| one.matches(value(one))))
        };
        let kept = self.kept();
        let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
        for (series, exemplars) in kept.series.iter().filter(|(series, _)| is_meant(series)) {
            let within =
                exemplars.iter().filter(|exemplar| (min_ms..=max_ms).contains(&exemplar.timestamp_ms));
            let within: Vec<Exemplar> = within.cloned().collect();
            if !within.is_empty() {
                found.push((series.clone(), within));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.iter().cmp(b.iter()));
        found
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        let Some(series) = self.order.pop_front() else { return };
        if let Some(exemplars) = self.series.get_mut(&series) {
            exemplars.pop_front();
            if exemplars.is_empty() {
                self.series.remove(&series);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use streamflow_tsdb::MatchOp;

    use super::*;

    fn exemplar(trace: &str, value: f64, timestamp_ms: i64) -> Exemplar {
        Exemplar { labels: Labels::new([("trace", trace)]), value, timestamp_ms }
    }

    #[test]
    fn the_oldest_give_way() {
        let exemplars = Exemplars::new(3);
        let series = |job: &str| Labels::new([("__name__", "m"), ("job", job)]);
        assert!(exemplars.add(&series("b"), exemplar("1", 1.0, 10)));
        assert!(!exemplars.add(&series("b"), exemplar("1", 1.0, 10)), "the same again");
        assert!(!exemplars.add(&series("b"), exemplar("0", 1.0, 9)), "older");
        assert!(!exemplars.add(&series("b"), exemplar(&"x".repeat(124), 1.0, 11)), "too long");
        assert!(exemplars.add(&series("b"), exemplar(&"é".repeat(123), 1.0, 11)));
        assert!(exemplars.add(&series("a"), exemplar("2", 2.0, 20)));
        let found = |job: &str, min_ms, max_ms| {
            let matcher = Matcher::new("job", MatchOp::Regex, job).unwrap();
            let found = exemplars.select(&[vec![matcher]], min_ms, max_ms).into_iter();
            let times = found.map(|(series, exemplars)| {
                let times: Vec<String> =
                    exemplars.iter().map(|exemplar| exemplar.timestamp_ms.to_string()).collect();
                format!("{} {}", series.get("job").unwrap(), times.join(","))
            });
            times.collect::<Vec<_>>()
        };
        assert_eq!(found(".*", 0, 100), ["a 20", "b 10,11"]);
        assert_eq!(found("b", 11, 20), ["b 11"]);
        assert_eq!(found("b", 12, 20), [""; 0]);
        assert!(exemplars.add(&series("a"), exemplar("3", 2.0, 21)));
        assert_eq!(found(".*", 0, 100), ["a 20,21", "b 11"]);
        for at in 22..30 {
            assert!(exemplars.add(&series("a"), exemplar("3", 2.0, at)));
        }
        assert_eq!(found(".*", 0, 100), ["a 27,28,29"]);
        assert!(exemplars.select(&[], 0, 100).is_empty());
    }
}
