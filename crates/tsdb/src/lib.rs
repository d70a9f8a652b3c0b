//! Durable float samples of labelled series.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod matcher;
pub use matcher::{MatchOp, Matcher};
