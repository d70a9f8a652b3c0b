//! How right the versions of the model are: months scored, measured where labels are, estimated where they are not.
//!
//! The statistics are the `streamflow-performance` crate; here is what reads, scores and keeps.

mod comparison;
mod evaluation;
mod scored;
pub mod section;
mod slices;
mod usual;
mod why;

pub use comparison::{Contest, compare};
pub use evaluation::{Evaluation, Subject};
pub use scored::{Learning, Version};
pub use usual::Usual;
