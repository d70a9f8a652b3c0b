//! `monthly`: from a drop to a better model in service: ingest, monitor, and where that says so, train, compare, promote.

use anyhow::Context as _;
use serde_json::json;
use streamflow_drift::Decision;

use super::ingest_month;
use super::monitor_month::{self, MonitorRequest};
use super::parameters::{DROP, Kind, optional, required};
use super::train_and_compare::{self, PROMOTE};
use super::train_model;
use super::{Ended, Flow, FlowRun};

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "monthly",
    doc: "Ingest a drop, monitor it, and where that asks for it train, compare and promote a new version",
    parameters: &[
        required("as_of", Kind::Date, "The date that the drop describes"),
        DROP,
        optional("replace", Kind::Flag, "Whether a month that was ingested with other content is replaced"),
        optional("seed", Kind::Integer, "Seed of the fit and of the split [default: from the configuration]"),
        PROMOTE,
    ],
    period: Some("as_of"),
    body: |run| Box::pin(steps(run)),
};

async fn steps(run: &mut FlowRun) -> anyhow::Result<Ended> {
    let as_of = run.parameters.date("as_of")?.context("as_of is checked to be there")?;
    let ingested = ingest_month::steps(run).await?;
    let before = train_and_compare::find_production(run).await?;
    if before.is_none() {
        let trained = train_model::steps(run, as_of).await?;
        let message =
            format!("{}; version {} is the first and in production", ingested.summary, trained.version);
        let value = json!({ "ingested": ingested.value, "trained": trained });
        return Ok(Ended { name: "FIRST_VERSION".to_owned(), text: message.clone(), message, value });
    }
    let request = MonitorRequest::of(run).await?;
    let monitored = monitor_month::steps(run, &request).await?;
    let mut text = format!("{}\n{}", ingested.summary, monitored.text());
    let mut value = json!({ "ingested": ingested.value, "monitored": monitored });
    if monitored.decision == Decision::NoAction {
        let (name, message) = (monitored.decision.as_str().to_owned(), monitored.reason());
        return Ok(Ended { name, message, value, text });
    }
    let compared = train_and_compare::steps(run, as_of, before).await?;
    text.push_str(&format!("\n{}", compared.message));
    value["compared"] = serde_json::to_value(&compared)?;
    let (name, message) = (compared.name().to_owned(), compared.message);
    Ok(Ended { name, message, value, text })
}
