//! What the store tells about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::AppendError;

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
}

#[derive(Debug, Default)]
pub(crate) struct RefusedCounters {
    out_of_order: AtomicU64,
    duplicate_timestamp: AtomicU64,
    too_old: AtomicU64,
}

impl RefusedCounters {
    pub(crate) fn count(&self, error: &AppendError) {
        let counter = match error {
            AppendError::OutOfOrder { .. } => &self.out_of_order,
            AppendError::DuplicateTimestamp { .. } => &self.duplicate_timestamp,
            AppendError::TooOld { .. } => &self.too_old,
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
        }
    }
}

/// The ten largest, most first, then by name.
pub(crate) fn top(mut rows: Vec<(String, u64)>) -> Vec<(String, u64)> {
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(10);
    rows
}
