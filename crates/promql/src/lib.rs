//! PromQL: parsed, evaluated over a [`streamflow_tsdb::Db`], and tested with Prometheus's own scripts.
//!
//! A text is parsed into a [`Query`], which is evaluated within the limits of an [`Engine`] at one time or over a range
//! of times and gives an [`Answer`]. Texts of errors and remarks are Prometheus's. The crate knows no network, clock or thread of its own
//! beyond the query: the time of evaluation is an argument, and [`Stop`] is asked whether to go on.
//!
//! ```
//! use streamflow_promql::{Engine, Query, Value};
//! use streamflow_tsdb::{Db, Labels, Options};
//!
//! let db = Db::in_memory(Options::default());
//! let mut batch = db.batch();
//! let labels = Labels::new([("__name__", "requests_total"), ("job", "api")]);
//! for step in 0..=20 {
//!     batch.add(&labels, step * 15_000, step as f64 * 30.0)?;
//! }
//! batch.commit()?;
//!
//! let engine = Engine::default();
//! let query = Query::parse(&engine, "sum by (job) (rate(requests_total[5m]))")?;
//! let answer = query.instant(&engine, &db, 300_000, &|| None)?;
//! let Value::Vector(vector) = answer.value else { panic!("a sum is a vector") };
//! assert_eq!(vector[0].labels.to_string(), "{job=\"api\"}");
//! assert!((vector[0].value - 2.0).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Words
//! *Series*, *sample*, *label*, *matcher*, *instant vector*, *range vector*, *lookback* and *staleness* are
//! Prometheus's. A *grid* is the evenly spaced times of a query; a *row* is one series of a vector at all of them; a
//! *pipeline* makes rows one after the other, so that an aggregation needs not hold its input.
//!
//! # Not in it
//! Start timestamps of samples. `docs/promql.md` lists limits and differences.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod annotations;
mod ast;
mod engine;
mod error;
mod eval;
mod function;
mod functions;
mod kahan;
mod options;
mod parser;
mod print;
mod query;
mod sampling;
pub mod script;
mod value;

pub use ast::*;
pub use engine::Engine;
pub use error::Error;
pub use eval::grid::Grid;
pub use function::Function;
pub use functions::{FUNCTIONS, lookup};
pub use options::{EngineOptions, SourceResolution, Stop, StopReason};
pub use parser::{ParseOptions, answered, parse, parse_selector, parse_with};
pub use print::format;
pub use query::Query;
pub use value::{Answer, RangeSeries, Stats, Value, VectorSample};
