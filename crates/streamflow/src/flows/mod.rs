//! Flows: named tasks with timings, logs and states, one file per flow.

pub mod ingest_month;
pub mod monitor_month;
mod run;
pub mod train_model;

pub use run::{FlowRun, TaskRecord};

use serde::Serialize;

/// A flow whose runs are recorded.
#[derive(Debug, Serialize)]
pub struct Flow {
    /// Name of its runs in the database, in metrics and in Prefect.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    pub parameters: &'static [Parameter],
}

/// A parameter of a flow.
#[derive(Debug, Serialize)]
pub struct Parameter {
    pub name: &'static str,
    pub doc: &'static str,
}

/// Every flow there is.
pub static FLOWS: &[&Flow] = &[&monitor_month::FLOW];
