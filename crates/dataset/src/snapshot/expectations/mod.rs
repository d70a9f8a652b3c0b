//! What must be true of a table, named and counted as Great Expectations does.
//!
//! The set is [`EXPECTATIONS`]: one row for each rule, from which validation, the documentation and
//! the evaluation derive. Evaluation is one pass over all rows of the table.

mod check;
mod expectation;
pub(crate) mod problems;
mod result;
mod rules;

pub(crate) use check::TableCheck;
pub use expectation::{Expectation, Scalar};
pub use result::{ExpectationResult, Unexpected, Validation};
pub use rules::{EXPECTATIONS, Rule};
