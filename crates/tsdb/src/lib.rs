//! Durable float samples of labelled series.
//!
//! A [`Db`] takes [`Batch`]es of samples and gives back [`Series`] by [`Matcher`]s and time range.
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
#![allow(dead_code)] // what the log and the blocks read and write

mod batch;
mod chunk;
mod db;
mod error;
mod head;
mod labels;
mod matcher;
mod options;
mod postings;
mod samples;
mod series;
mod stats;
mod varint;

pub use batch::{Batch, Committed, SeriesRef};
pub use db::Db;
pub use error::{AppendError, Error};
pub use labels::{Iter as LabelsIter, Labels, METRIC_NAME};
pub use matcher::{MatchOp, Matcher};
pub use options::{Fsync, Options};
pub use samples::{STALE_NAN, Samples, is_stale};
pub use series::Series;
pub use stats::{Refused, Stats};
