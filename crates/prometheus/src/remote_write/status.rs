//! What a sender counts.

use std::time::Duration;

/// An endpoint with its counts since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SenderStatus {
    /// Its name.
    pub name: String,
    /// Its URL without its password.
    pub url: String,
    /// Samples that were read from the log and dropped, or put into a shard.
    pub samples_read: u64,
    /// Samples that the receiver took.
    pub samples_sent: u64,
    /// Samples that the receiver refused for good: 4xx, and 429 where that is not tried again.
    pub samples_failed: u64,
    /// Samples in requests that were tried again.
    pub samples_retried: u64,
    /// Samples that relabeling drops.
    pub samples_dropped: u64,
    /// Samples that were too old before the receiver took them.
    pub samples_too_old: u64,
    /// Native histograms where they are not sent.
    pub histograms_dropped: u64,
    /// Exemplars that the receiver took.
    pub exemplars_sent: u64,
    /// Exemplars that the receiver refused, or that came faster than they could be read.
    pub exemplars_lost: u64,
    /// Families whose meaning the receiver of version 1 was told, as often as it was.
    pub metadata_sent: u64,
    /// Bytes of bodies that were taken.
    pub bytes_sent: u64,
    /// Samples that were read and neither taken nor refused yet.
    pub samples_pending: u64,
    /// Time that requests took until they were taken or refused, all shards together.
    pub sending: Duration,
    /// Connections that send at a time.
    pub shards: usize,
    /// The fewest of them.
    pub shards_min: usize,
    /// The most of them.
    pub shards_max: usize,
    /// How many would be right by the last look.
    pub shards_desired: f64,
    /// Samples that may wait in one of them.
    pub shard_capacity: usize,
    /// Time of the newest sample that was read, in milliseconds since 1970.
    pub highest_timestamp_read_ms: i64,
    /// Time of the newest sample that the receiver took. How far it is behind is the difference.
    pub highest_timestamp_sent_ms: i64,
    /// How often parts of the log were gone before they were read: samples are missing at the receiver.
    pub log_gaps: u64,
    /// Samples left out because their series was no longer known.
    pub samples_unknown: u64,
    /// Why the last request failed; empty once one works.
    pub last_error: String,
}

impl SenderStatus {
    /// Samples that were read and are not sent.
    pub(super) fn dropped(&self) -> u64 {
        self.samples_dropped + self.samples_too_old + self.histograms_dropped
    }
}
