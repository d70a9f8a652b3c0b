//! Parses and evaluates PromQL over `streamflow-tsdb`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ast;
mod error;
mod functions;
mod parser;
mod print;

pub use ast::*;
pub use error::Error;
pub use functions::{FUNCTIONS, Function, lookup};
pub use parser::{ParseOptions, parse, parse_with};
pub use print::format;
