//! Summaries of tables by SQL, on DataFusion in this process or on a Ballista cluster.
//!
//! The engine answers the queries of [`streamflow_drift::ColumnQueries`], and its rows become what counting the file
//! on one machine would have given: the values of a column with how many rows have each, or, of too many numbers, their
//! counts on a grid. All that follows, tests, verdicts and reports, is the code of one machine.
//!
//! Only Parquet is read, and the files have to lie where every executor finds them under the same path.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use streamflow_cluster::{Engine, Target};
//! use streamflow_dataset::TableFile;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let target: Target = "ballista://10.0.0.7:50050".parse()?;
//! let engine = Engine::start(&target, Duration::from_secs(600)).await?;
//! let table = TableFile::open("usage.parquet".as_ref())?.stored().ok_or("Parquet is expected")?;
//! let summaries = engine.summarise(&table, &["hours"], &|| {}).await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod canary;
mod engine;
mod error;
mod jobs;
mod summary;

pub use engine::{Engine, Target};
pub use error::Error;
pub use streamflow_compare::Summary;
