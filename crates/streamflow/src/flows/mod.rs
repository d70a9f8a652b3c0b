//! Flows: named steps with timings, logs and states, one file per flow. `FLOWS` is the table of those built in.

mod backfill;
mod cache;
pub mod catalog;
mod days;
pub mod evaluate_month;
pub mod ingest_month;
pub mod later;
mod leading;
mod lease;
pub mod monitor_live;
pub mod monitor_month;
pub mod monthly;
mod own;
pub mod parameters;
mod policy;
pub mod promote_gradually;
mod run;
pub mod runner;
mod signals;
mod start;
mod starts;
pub mod train_and_compare;
pub mod train_model;
mod trial;
mod triggers;

pub use backfill::{Range, backfill, pause};
pub use catalog::{Known, known};
pub use parameters::{Kind, Parameter, Parameters};
pub use run::{Ended, FlowRun, StepContext, TaskRecord, blocking, is_waiting};
pub use start::{
    Again, Finished, Start, answer_here, cancel, record_answer, retry_here, run_here, schedule_retry, work_on,
};

use std::pin::Pin;

use serde::Serialize;

use crate::config::nearest;

/// A flow whose runs are recorded.
#[derive(Serialize)]
pub struct Flow {
    /// Name of its runs in the database, in metrics and in Prefect.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    pub parameters: &'static [Parameter],
    /// The parameter that says which month a run is about, where one does.
    pub period: Option<&'static str>,
    #[serde(skip)]
    pub body: Body,
}

/// The steps of a flow.
pub type Body = for<'a> fn(&'a mut FlowRun) -> Steps<'a>;

/// The steps of a running flow, and how it ended.
pub type Steps<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Ended>> + Send + 'a>>;

/// Every flow that is built in.
pub static FLOWS: &[&Flow] = &[
    &monthly::FLOW,
    &ingest_month::FLOW,
    &monitor_month::FLOW,
    &evaluate_month::FLOW,
    &train_model::FLOW,
    &train_and_compare::FLOW,
    &promote_gradually::FLOW,
];

/// The flow of that name.
///
/// # Errors
/// A name that no flow has.
pub fn find(name: &str) -> anyhow::Result<&'static Flow> {
    FLOWS.iter().find(|flow| flow.name == name).copied().ok_or_else(|| {
        let names: Vec<&str> = FLOWS.iter().map(|flow| flow.name).collect();
        let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
        anyhow::anyhow!(
            "there is no flow {name:?}; expected {}{}",
            names.join(", "),
            hint.unwrap_or_default()
        )
    })
}
