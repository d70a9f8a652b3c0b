//! Metrics on the wire: Prometheus's text format and its protobuf, OpenMetrics, remote write, remote read and OTLP.
//!
//! What it is: pull parsers of bodies, and writers of texts and messages. What it is not: it opens no connection, keeps no sample and knows
//! no schedule; what an answer means for a target is its caller's affair.
//!
//! Vocabulary: an *exposition* is the body that a target answers with; a *family* is the name that `# TYPE` speaks
//! of; the *series text* is the part of a sample's line that names the series, as it was sent.
//!
//! A series that is known already costs no allocation: [`Sample::series`] is a slice of the body, to be looked up in
//! a table, and [`Sample::labels`] reads the labels out of it only when they are needed.
//!
//! ```
//! use streamflow_exposition::{Event, Format, Parser};
//!
//! let body = b"# TYPE api_requests counter\napi_requests_total{code=\"200\"} 6\n# EOF\n";
//! let format = Format::of_content_type("application/openmetrics-text; version=1.0.0").unwrap();
//! for event in Parser::new(format, body) {
//!     if let Event::Sample(sample) = event? {
//!         assert_eq!((sample.series, sample.value), ("api_requests_total{code=\"200\"}", 6.0));
//!         let labels: Vec<_> = sample.labels().collect();
//!         assert_eq!(labels, [("__name__".into(), "api_requests_total".into()), ("code".into(), "200".into())]);
//!     }
//! }
//! # Ok::<(), streamflow_exposition::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod classic;
mod created;
mod encode;
mod error;
mod event;
mod format;
mod history;
mod labels;
mod line;
mod native;
mod openmetrics;
pub mod otlp;
mod parser;
pub mod protobuf;
pub mod remote_read;
pub mod remote_write;
mod scan;
mod text;
mod writer;

pub use classic::ClassicHistogram;
pub use created::Created;
pub use encode::TextEncoder;
pub use error::Error;
pub use event::{Event, Exemplar, MetricType, Sample};
pub use format::{Format, UnknownFormat};
pub use history::{HistoryError, HistoryReader, HistoryWriter};
pub use labels::LabelPairs;
pub use native::BucketSpan;
pub use parser::Parser;
pub use writer::Writer;
