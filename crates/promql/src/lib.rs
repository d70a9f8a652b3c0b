//! Parses and evaluates PromQL over `streamflow-tsdb`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod annotations;
mod ast;
mod engine;
mod error;
mod eval;
mod functions;
mod kahan;
mod number;
mod parser;
mod print;
mod sampling;
pub mod script;

pub use ast::*;
pub use engine::{Answer, Engine, EngineOptions, RangeSeries, Stats, Stop, StopReason, Value, VectorSample};
pub use error::Error;
pub use functions::{FUNCTIONS, Function, lookup};
pub use number::format_value;
pub use parser::{ParseOptions, parse, parse_selector, parse_with};
pub use print::format;
