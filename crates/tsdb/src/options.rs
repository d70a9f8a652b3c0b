//! Settings of a store.

use std::time::Duration;

use crate::aggregates::Downsampling;
use crate::retention::RetentionRule;

/// Default ranges and limits are Prometheus's.
#[derive(Debug, Clone)]
pub struct Options {
    /// Range of the smallest block; the head keeps one and a half of it. At least one second.
    pub block_duration_ms: i64,
    /// Largest range that compaction makes blocks of; of it, a tenth of `retention_ms` if that is smaller.
    pub max_block_duration_ms: i64,
    /// Blocks whose newest sample is older than this, and than what any rule keeps, are deleted.
    pub retention_ms: Option<i64>,
    /// Series whose samples are kept for another time; the first that a series meets is right. They hold from the first
    /// call of [`Db::maintain`](crate::Db::maintain) on.
    pub retention_rules: Vec<RetentionRule>,
    /// What is left of samples that are deleted for their age or the size of all; of those that a rule has outlived nothing is.
    pub downsampling: Downsampling,
    /// When blocks, aggregates, write-ahead log and head chunks are together over this, the oldest blocks are deleted; aggregates
    /// when they alone are over half of it.
    pub retention_bytes: Option<u64>,
    /// Samples this much older than the newest of the store are accepted behind newer ones of their series.
    pub out_of_order_window_ms: i64,
    /// When the write-ahead log is forced to the disk.
    pub fsync: Fsync,
    /// Size at which the write-ahead log begins a new file.
    pub segment_bytes: u64,
    /// Samples in a chunk, 2 to 65,535.
    pub samples_per_chunk: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_duration_ms: 2 * 3_600_000,
            max_block_duration_ms: 31 * 24 * 3_600_000,
            retention_ms: None,
            retention_rules: Vec::new(),
            downsampling: Downsampling::default(),
            retention_bytes: None,
            out_of_order_window_ms: 0,
            fsync: Fsync::Interval(Duration::from_secs(5)),
            segment_bytes: 64 << 20,
            samples_per_chunk: 120,
        }
    }
}

impl Options {
    /// With nonsense brought into range.
    pub(crate) fn checked(mut self) -> Self {
        self.block_duration_ms = self.block_duration_ms.max(1000);
        self.out_of_order_window_ms = self.out_of_order_window_ms.max(0);
        self.samples_per_chunk = self.samples_per_chunk.clamp(2, 65_535);
        self.segment_bytes = self.segment_bytes.max(64 << 10);
        self
    }
}

/// When the write-ahead log is forced to the disk. A committed batch has been handed to the operating system in
/// any case, so it survives the end of the process, whatever ends it; this is about power failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before a commit returns; concurrent commits share one call.
    Always,
    /// By [`Db::sync_due`](crate::Db::sync_due), when this long has passed since the last time.
    Interval(Duration),
}
