//! `streamflow features`: features on their way to where predictions ask for them.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;
use streamflow_dataset::{Period, PointInTime};

use super::Context;
use crate::config::FeatureSource;
use crate::feature_store::{Manner, Month, own_redis};
use crate::random::random_hex;
use crate::workspace;

/// Longest wait for one portion; predictions wait for `features.timeout_ms`.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Put the features of a month into the Redis of features.store, where `source = "redis"` reads them
    Push {
        /// The month [default: the newest]
        #[arg(long, value_name = "YYYY-MM-DD")]
        as_of: Option<Period>,
        /// Put older features in the place of newer ones
        #[arg(long)]
        go_back: bool,
    },
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Push { as_of, go_back } = args;
    let config = context.config()?;
    if config.features.source == FeatureSource::Feast {
        bail!(
            "features.source is \"feast\", whose store is Feast's to write: `feast materialize` does it. Set the source to \"redis\" \
             for a store of our own"
        );
    }
    let snapshots = workspace::look_at(&context.data_dir_now(&config)?, config.dataset.clone())?;
    let Some(month) = (*as_of).or(snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).max()) else {
        bail!("no month is ingested yet; ingest one with `streamflow ingest --as-of YYYY-MM-DD DIR`");
    };
    let frame = snapshots.point_in_time(month, PointInTime { labels: false, exact: true })?;
    let manner =
        Manner { id: random_hex::<8>()?, ttl_seconds: config.features.ttl_seconds, may_go_back: *go_back };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (pushed, shown) = runtime.block_on(async {
        let redis = own_redis(&config.features, &config.base, &config.dataset.entity, PATIENCE)?;
        let month = Month {
            as_of: month,
            frame: &frame,
            key: &config.dataset.entity,
            features: &config.dataset.features,
        };
        anyhow::Ok((redis.push(&month, &manner).await?, redis.shown().to_owned()))
    })?;
    let result = json!({
        "as_of": month, "store": shown, "prefix": config.features.prefix, "push": manner.id,
        "features": config.dataset.features.len(), "entities": pushed.entities, "deleted": pushed.deleted,
    });
    context.terminal.result(&result, || {
        let gone = match pushed.deleted {
            0 => String::new(),
            deleted => format!(" {deleted} entities that {month} does not have were deleted."),
        };
        format!(
            "Pushed {} features of {} entities as of {month} to {shown} under the prefix {}.{gone}",
            config.dataset.features.len(),
            pushed.entities,
            config.features.prefix
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// What a server that reads the Redis answers.
    pub fn changes_something(&self) -> bool {
        match self {
            Self::Push { .. } => true,
        }
    }
}
