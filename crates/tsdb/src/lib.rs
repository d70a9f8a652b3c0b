//! Durable samples of labelled series: numbers and native histograms.
//!
//! A [`Db`] takes [`Batch`]es of samples and gives back [`Series`] by [`Matcher`]s and range of time. New samples are in the
//! *head*: in memory, and in a *write-ahead log* from which it is rebuilt. [`Db::maintain`] moves finished ranges of it to
//! *blocks*, immutable directories, merges small blocks into large ones, and deletes what is past its retention. Samples of a
//! series are compressed in *chunks*. Time is milliseconds since 1970 and always an argument.
//!
//! Where [`Options::downsampling`] says so, [`Aggregate`]s of whole windows stay of the samples that are deleted for their age.
//!
//! It is not a query engine, and it has no network, clock, logger or async runtime.
//!
//! ```
//! use streamflow_tsdb::{Db, Labels, MatchOp, Matcher, Options, Samples};
//!
//! let db = Db::in_memory(Options::default());
//! let up = Labels::new([("__name__", "up"), ("job", "api")]);
//! let mut batch = db.batch();
//! let series = batch.add(&up, 15_000, 1.0)?;
//! batch.add_ref(series, 30_000, 0.0)?;
//! batch.commit()?;
//!
//! let selected = db.select(&[Matcher::new("job", MatchOp::Equal, "api")?], 0, 60_000)?;
//! let mut samples = Samples::default();
//! selected[0].read(&mut samples)?;
//! assert_eq!(selected[0].labels().to_string(), "up{job=\"api\"}");
//! assert_eq!(samples.values, [1.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod aggregates;
#[cfg(test)]
mod arbitrary;
mod batch;
mod block;
mod chunk;
mod commit;
mod damage;
mod db;
mod delete;
mod error;
mod files;
mod followers;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod intervals;
mod labels;
mod listing;
mod log;
mod maintain;
mod matcher;
mod options;
mod postings;
mod query;
mod recover;
mod reset;
mod retention;
mod samples;
mod series;
mod snapshot;
mod stats;
mod tail;
mod texts;
mod value;
mod varint;
mod verify;
mod wal;

pub use aggregates::{Aggregate, Downsampling, Older, Resolution};
pub use batch::{Batch, Committed, SeriesRef};
pub use damage::Damage;
pub use db::Db;
pub use delete::Deleted;
pub use error::{AppendError, Error};
pub use labels::{Iter as LabelsIter, Labels, LabelsBuffer, LabelsRef, METRIC_NAME};
pub use maintain::Maintenance;
pub use matcher::{MatchOp, Matcher};
pub use options::{Fsync, Options};
pub use retention::RetentionRule;
pub use samples::{NO_START, STALE_NAN, Sample, Samples, is_stale};
pub use series::Series;
pub use snapshot::{copy_in_use, remove_unfinished_copies, snapshot};
pub use stats::{AggregateStats, Refused, Stats};
pub use tail::{Position, PositionError, Tail};
pub use texts::Texts;
pub use value::Value;
pub use verify::{Report, verify};
