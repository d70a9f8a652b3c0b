//! The store.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::batch::{Batch, Committed};
use crate::head::{Bounds, Cut, Head};
use crate::stats::{RefusedCounters, Stats, top};
use crate::{Error, Labels, METRIC_NAME, Matcher, Options, Series};

/// A store of samples. A clone is a reference to the same store; every method may be called from any thread.
#[derive(Debug, Clone)]
pub struct Db(Arc<Inner>);

/// What all clones share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) head: Head,
    pub(crate) refused: RefusedCounters,
    /// Before this everything is in blocks.
    boundary: AtomicI64,
    /// Newest sample ever seen.
    newest: AtomicI64,
    next_batch: AtomicU64,
    appended: AtomicU64,
    /// Held while a batch becomes durable and visible: the log has batches in the order the head sees them.
    committing: Mutex<()>,
}

impl Inner {
    fn new(options: Options) -> Self {
        Self {
            options: options.checked(),
            head: Head::default(),
            refused: RefusedCounters::default(),
            boundary: AtomicI64::new(i64::MIN),
            newest: AtomicI64::new(i64::MIN),
            next_batch: AtomicU64::new(1),
            appended: AtomicU64::new(0),
            committing: Mutex::default(),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let window = self.options.out_of_order_window_ms;
        Bounds {
            boundary: self.boundary.load(Ordering::Acquire),
            out_of_order: (window > 0).then(|| self.newest.load(Ordering::Relaxed).saturating_sub(window)),
        }
    }

    fn cut(&self) -> Cut {
        Cut { samples: self.options.samples_per_chunk as u32, range_ms: self.options.block_duration_ms }
    }

    pub(crate) fn commit(&self, batch: &mut Batch) -> Result<Committed, Error> {
        let _committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut committed = Committed { samples: batch.present, refused: 0 };
        let (cut, window) = (self.cut(), self.options.out_of_order_window_ms > 0);
        let mut newest = i64::MIN;
        for entry in batch.entries.drain(..) {
            let mut state = entry.series.lock();
            state.pending -= 1;
            newest = newest.max(entry.timestamp);
            let inserted = if entry.behind {
                state.insert_behind(entry.timestamp, entry.value)
            } else {
                state.insert(entry.timestamp, entry.value, window, cut)
            };
            if inserted {
                committed.samples += 1;
            } else {
                committed.refused += 1;
                self.refused.overtaken();
            }
        }
        self.newest.fetch_max(newest, Ordering::Relaxed);
        self.appended.fetch_add(committed.samples, Ordering::Relaxed);
        Ok(committed)
    }
}

impl Db {
    /// A store without files: everything stays in memory until it is dropped.
    #[must_use]
    pub fn in_memory(options: Options) -> Self {
        Self(Arc::new(Inner::new(options)))
    }

    /// Begins a batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let id = self.0.next_batch.fetch_add(1, Ordering::Relaxed);
        Batch { store: Arc::clone(&self.0), id, entries: Vec::new(), present: 0 }
    }

    /// The series that meet all matchers and have samples from `min_ms` to `max_ms`, both inclusive, sorted by labels.
    /// Without matchers all series. Samples are decoded when they are read.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn select(&self, matchers: &[Matcher], min_ms: i64, max_ms: i64) -> Result<Vec<Series>, Error> {
        Ok(self.0.head.select(matchers, min_ms, max_ms))
    }

    /// The label sets of the series that meet all matchers of any of the sets and have samples from `min_ms` to
    /// `max_ms`, sorted, each once. No set means all series.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn series(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Vec<Labels>, Error> {
        let everything = [Vec::new()];
        let sets = if sets.is_empty() { everything.as_slice() } else { sets };
        let mut found = BTreeSet::new();
        for matchers in sets {
            found.extend(
                self.0.head.matching(matchers, min_ms, max_ms).iter().map(|series| series.labels.clone()),
            );
        }
        Ok(found.into_iter().collect())
    }

    /// The names of the labels of those series, sorted.
    ///
    /// # Errors
    /// When a block's file cannot be read.
    pub fn label_names(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Vec<String>, Error> {
        let series = self.series(sets, min_ms, max_ms)?;
        let names: BTreeSet<&str> =
            series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// The values that this label has in those series, sorted.
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
        let series = self.series(sets, min_ms, max_ms)?;
        let values: BTreeSet<&str> = series.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }

    /// Counts what is there.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let head = &self.0.head;
        let mut stats = Stats {
            head_series: head.len() as u64,
            appended: self.0.appended.load(Ordering::Relaxed),
            refused: self.0.refused.read(),
            ..Stats::default()
        };
        for series in head.series() {
            let state = series.lock();
            let (chunks, samples, bytes) = state.size();
            stats.head_chunks += chunks;
            stats.head_samples += samples;
            stats.head_bytes += bytes;
            if let Some((min, max)) = state.range() {
                stats.head_min_ms = Some(stats.head_min_ms.map_or(min, |known| known.min(min)));
                stats.head_max_ms = Some(stats.head_max_ms.map_or(max, |known| known.max(max)));
            }
        }
        (stats.min_ms, stats.max_ms) = (stats.head_min_ms, stats.head_max_ms);
        let (mut names, mut metrics, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = std::collections::BTreeMap::<String, u64>::new();
        head.each_label(
            |name, values| names.push((name.to_owned(), values as u64)),
            |name, value, series| {
                if name == METRIC_NAME {
                    metrics.push((value.to_owned(), series as u64));
                }
                pairs.push((format!("{name}={value}"), series as u64));
                *bytes.entry(name.to_owned()).or_default() += value.len() as u64;
            },
        );
        stats.label_pairs = pairs.len() as u64;
        stats.label_values = top(names);
        stats.metric_series = top(metrics);
        stats.pair_series = top(pairs);
        stats.label_bytes = top(bytes.into_iter().collect());
        stats
    }
}
