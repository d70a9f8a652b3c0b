//! Flows: named tasks with timings, logs and states, one file per flow.

pub mod history;
pub mod monitor;
pub mod prefect;
mod run;

pub use run::{FlowRun, TaskRecord};
