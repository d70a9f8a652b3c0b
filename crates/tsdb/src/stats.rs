//! What the store tells about itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::aggregates::{Resolution, Tier};
use crate::damage::Damage;
use crate::db::Db;
use crate::error::AppendError;
use crate::files;
use crate::labels::METRIC_NAME;

/// Counted when asked for, at a cost linear in the number of series in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Series in memory.
    pub head_series: u64,
    /// Chunks in memory.
    pub head_chunks: u64,
    /// Samples in memory.
    pub head_samples: u64,
    /// Bytes of compressed samples in memory.
    pub head_bytes: u64,
    /// Oldest sample in memory, milliseconds.
    pub head_min_ms: Option<i64>,
    /// Newest sample in memory, milliseconds.
    pub head_max_ms: Option<i64>,
    /// Oldest sample of all, milliseconds.
    pub min_ms: Option<i64>,
    /// Newest sample of all, milliseconds.
    pub max_ms: Option<i64>,
    /// Samples committed since the store was opened.
    pub appended: u64,
    /// Samples refused since the store was opened.
    pub refused: Refused,
    /// Names and their number of values, most first, at most ten.
    pub label_values: Vec<(String, u64)>,
    /// Metric names and their number of series, most first, at most ten.
    pub metric_series: Vec<(String, u64)>,
    /// `name=value` and their number of series, most first, at most ten.
    pub pair_series: Vec<(String, u64)>,
    /// Names and the bytes of all their values, most first, at most ten.
    pub label_bytes: Vec<(String, u64)>,
    /// Label pairs in memory.
    pub label_pairs: u64,
    /// Bytes of the write-ahead log, checkpoints included.
    pub wal_bytes: u64,
    /// Blocks served.
    pub blocks: u64,
    /// Bytes of their files.
    pub block_bytes: u64,
    /// Samples in blocks.
    pub block_samples: u64,
    /// What there is of aggregates, by resolution, finest first.
    pub aggregates: Vec<AggregateStats>,
    /// What was found broken on the disk since the store was opened.
    pub damage: Vec<Damage>,
}

impl Db {
    /// Counts what is there.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let head = &self.0.head;
        let blocks = self.0.blocks();
        let mut stats = Stats {
            head_series: head.len() as u64,
            appended: self.0.appended.load(Ordering::Relaxed),
            refused: self.0.refused.read(),
            wal_bytes: self.0.log_dir().map_or(0, |dir| files::size(&dir)),
            blocks: blocks.len() as u64,
            block_bytes: blocks.iter().map(|block| block.bytes).sum(),
            block_samples: blocks.iter().map(|block| block.meta.samples).sum(),
            aggregates: self.0.tiers.iter().map(AggregateStats::of).collect(),
            damage: self.0.damage.list(),
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
        let oldest = blocks.iter().map(|block| block.meta.min_time).chain(stats.head_min_ms).min();
        let newest = blocks.iter().map(|block| block.meta.max_time).chain(stats.head_max_ms).max();
        (stats.min_ms, stats.max_ms) = (oldest, newest);
        self.count_labels(&mut stats);
        stats
    }

    fn count_labels(&self, stats: &mut Stats) {
        let (mut names, mut metrics, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = BTreeMap::<String, u64>::new();
        self.0.head.each_label(
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
    }

    /// What was found broken on the disk since the store was opened.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.0.damage.list()
    }
}

/// What there is of aggregates of one resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateStats {
    /// Their windows.
    pub resolution: Resolution,
    /// Blocks served.
    pub blocks: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Windows of all series, and histograms that stand for others.
    pub windows: u64,
    /// Oldest time that something is known of, milliseconds.
    pub min_ms: Option<i64>,
    /// Newest time that something is known of, milliseconds.
    pub max_ms: Option<i64>,
}

impl AggregateStats {
    fn of(tier: &Tier) -> Self {
        let blocks = tier.blocks();
        Self {
            resolution: tier.resolution,
            blocks: blocks.len() as u64,
            bytes: tier.bytes(),
            windows: blocks.iter().map(|block| block.meta.samples).sum(),
            min_ms: blocks.iter().map(|block| block.meta.min_time).min(),
            max_ms: blocks.iter().map(|block| block.meta.max_time).max(),
        }
    }
}

/// Refused samples by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Behind the newest of their series.
    pub out_of_order: u64,
    /// Another value at the same time.
    pub duplicate_timestamp: u64,
    /// Older than what is accepted.
    pub too_old: u64,
    /// Histograms that are none, as with a schema that nobody knows.
    pub invalid_histogram: u64,
}

#[derive(Debug, Default)]
pub(crate) struct RefusedCounters {
    out_of_order: AtomicU64,
    duplicate_timestamp: AtomicU64,
    too_old: AtomicU64,
    invalid_histogram: AtomicU64,
}

impl RefusedCounters {
    pub(crate) fn count(&self, error: &AppendError) {
        let counter = match error {
            AppendError::OutOfOrder { .. } => &self.out_of_order,
            AppendError::DuplicateTimestamp { .. } => &self.duplicate_timestamp,
            AppendError::TooOld { .. } => &self.too_old,
            AppendError::Histogram(_) => &self.invalid_histogram,
            AppendError::UnknownSeries(_) | AppendError::NoLabels => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn overtaken(&self) {
        self.out_of_order.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Refused {
        Refused {
            out_of_order: self.out_of_order.load(Ordering::Relaxed),
            duplicate_timestamp: self.duplicate_timestamp.load(Ordering::Relaxed),
            too_old: self.too_old.load(Ordering::Relaxed),
            invalid_histogram: self.invalid_histogram.load(Ordering::Relaxed),
        }
    }
}

/// The ten largest, most first, then by name.
fn top(mut rows: Vec<(String, u64)>) -> Vec<(String, u64)> {
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(10);
    rows
}
