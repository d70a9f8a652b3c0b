//! Parses and evaluates PromQL over `streamflow-tsdb`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ast;
mod error;
mod functions;

pub use ast::*;
pub use error::Error;
pub use functions::{FUNCTIONS, Function, lookup};
