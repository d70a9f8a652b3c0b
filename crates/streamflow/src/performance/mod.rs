//! How right the versions of the model are: months scored, measured where labels are, estimated where they are not.
//!
//! The statistics are the `streamflow-performance` crate; here is what reads, scores and keeps.

mod comparison;
mod estimate;
mod evaluation;
mod judged;
pub mod later;
mod realised;
mod scored;
pub mod section;
mod section_of_task;
mod slices;
mod usual;
mod why;

pub use comparison::{Contest, compare};
pub use estimate::Estimate;
pub use evaluation::{Evaluation, Reference, Rules, Subject, validated};
pub use judged::Judged;
pub use scored::{Elsewhere, Learning, TrainedOn, Version, month};
pub use usual::Usual;
