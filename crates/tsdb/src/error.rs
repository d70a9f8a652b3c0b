//! What can go wrong.

use std::path::PathBuf;

use streamflow_histogram::Invalid;

use crate::value::Value;

/// A failure of the store as a whole. Damage of single files is no error: it is listed in
/// [`Stats::damage`](crate::Stats::damage) while the rest is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as "cannot write".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process has the directory open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Bytes that are not what their format says.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file in a format that came later.
    #[error(
        "{} has the format {format} of a later release, and this one reads the formats 1 and 2: use that release, or restore a backup that was made before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// More in one batch than a record of the write-ahead log may hold.
    #[error("a batch of {bytes} bytes is over the limit of {limit}; commit more often")]
    BatchTooLarge {
        /// The size that was given.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// A directory that would be overwritten.
    #[error("{} exists already; a snapshot needs a new directory", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// A store whose files were replaced faster than they could be copied.
    #[error("the files of {} were replaced during each of {attempts} copies; try again", path.display())]
    Overtaken {
        /// The directory.
        path: PathBuf,
        /// How often it was tried.
        attempts: usize,
    },
    /// A store that was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Why one sample was refused; the others of its batch are not touched by that.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// Older than the newest sample of its series, and samples out of order are not accepted.
    #[error("sample at {timestamp} is out of order, the newest of the series is at {newest}")]
    OutOfOrder {
        /// Time of the sample.
        timestamp: i64,
        /// Time of the newest sample of the series.
        newest: i64,
    },
    /// The series has another value at this time.
    #[error("sample at {timestamp} has the value {value}, the series has {existing} there")]
    DuplicateTimestamp {
        /// Time of both samples.
        timestamp: i64,
        /// The one in the store, which stays.
        existing: Value,
        /// The one refused.
        value: Value,
    },
    /// Older than anything that is still accepted.
    #[error("sample at {timestamp} is too old, samples are accepted from {oldest} on")]
    TooOld {
        /// Time of the sample.
        timestamp: i64,
        /// What the store accepts now.
        oldest: i64,
    },
    /// The series of this reference is no longer in memory: add by labels again.
    #[error("unknown series reference {0}, add by labels again")]
    UnknownSeries(u64),
    /// Something that is no histogram.
    #[error("histogram with {0}")]
    Histogram(#[from] Invalid),
    /// A series without any label has no identity.
    #[error("a series needs at least one label")]
    NoLabels,
}
