//! `streamflow models canary`: a version that answers a share of the entities in the place of the one in production.

use crate::canary::Share;
use crate::registry::{ArmStatus, CanaryStatus, Registry};
use crate::store::Store;
use crate::store::models::By;
use crate::terminal::table;

use super::super::Context;
use super::version_number;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of the version, as `models ls` lists it; without one the command tells how the canary goes
    #[arg(value_parser = version_number, conflicts_with = "off", requires = "share")]
    version: Option<i64>,
    /// Share of the entities that it answers, such as 10% or 0.1; a larger one keeps those who are in it
    #[arg(long, value_name = "SHARE", requires = "version")]
    share: Option<Share>,
    /// The version in production answers everybody again
    #[arg(long)]
    off: bool,
}

impl Args {
    pub fn changes_something(&self) -> bool {
        self.off || self.version.is_some()
    }
}

pub async fn run(
    args: &Args,
    (registry, store): (&Registry, &Store),
    (name, actor): (&str, &str),
    context: &Context,
) -> anyhow::Result<()> {
    let by = By { actor, run: None };
    let ended = args.off && store.end_canary(name, None, by).await?;
    if let (Some(version), Some(share)) = (args.version, args.share) {
        registry.start_canary(name, version, share, by).await?;
    }
    let status = registry.canary(name).await?;
    context.terminal.result(&status, || match &status {
        None if ended => {
            format!("The canary of {name} is over: a running server answers all by the version in production within a second.")
        }
        None => format!("No version of {name} answers a share of the entities; `streamflow models canary VERSION --share 10%` begins."),
        Some(status) if args.version.is_some() => begun(name, status),
        Some(status) => told(name, status),
    })
}

fn share_of(status: &CanaryStatus) -> String {
    Share::new(status.share).map_or_else(String::new, |share| share.to_string())
}

fn begun(name: &str, status: &CanaryStatus) -> String {
    format!(
        "Version {} of {name} answers {} of the entities. A running server takes it within a second; `streamflow models \
         canary` tells how it goes, and `--off` ends it.",
        status.version,
        share_of(status)
    )
}

fn told(name: &str, status: &CanaryStatus) -> String {
    let mut table =
        table(["VERSION", "ARM", "REQUESTS", "ERRORS", "P50", "P99", "MEAN SCORE", "ENTITIES SCORED"]);
    let milliseconds =
        |seconds: Option<f64>| seconds.map_or_else(|| "–".to_owned(), |s| format!("{:.2} ms", s * 1e3));
    for ArmStatus {
        version,
        arm,
        requests,
        errors,
        error_rate,
        latency_p50_seconds,
        latency_p99_seconds,
        mean_score,
        scored_entities,
    } in &status.arms
    {
        table.add_row([
            version.to_string(),
            (*arm).to_owned(),
            requests.to_string(),
            format!("{errors} ({:.2} %)", error_rate * 100.0),
            milliseconds(*latency_p50_seconds),
            milliseconds(*latency_p99_seconds),
            mean_score.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.4}")),
            scored_entities.to_string(),
        ]);
    }
    let by = match status.run_id {
        Some(run) => format!("by run {run}"),
        None => format!("by {}", status.actor),
    };
    let trouble = status.trouble.as_ref().map(|trouble| {
        format!("\nIt is not loaded, and the version in production answers everybody: {trouble}")
    });
    format!(
        "Version {} of {name} answers {} of the entities since {}, {by}.{}\n{table}",
        status.version,
        share_of(status),
        status.since,
        trouble.unwrap_or_default()
    )
}
