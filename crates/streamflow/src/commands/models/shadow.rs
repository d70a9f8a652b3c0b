//! `streamflow models shadow`: a version that answers beside the one in production and is not heard.

use serde_json::json;

use super::super::{Context, Usage};
use super::version_number;
use crate::registry::Registry;
use crate::store::Store;
use crate::store::models::By;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of the version, as `models ls` lists it
    #[arg(value_parser = version_number, conflicts_with = "end")]
    version: Option<i64>,
    /// Nobody answers beside the version in production any longer
    #[arg(long)]
    end: bool,
}

pub async fn run(
    args: &Args,
    (registry, store): (&Registry, &Store),
    (name, actor): (&str, &str),
    context: &Context,
) -> anyhow::Result<()> {
    let version = match (args.version, args.end) {
        (Some(version), _) => Some(registry.resolve(name, Some(version)).await?),
        (None, true) => None,
        (None, false) => return Err(Usage::error("name the version, or say --end".to_owned())),
    };
    if let Some(version) = version {
        registry.load(name, version).await?;
    }
    store.set_shadow(name, version, By { actor, run: None }).await?;
    let value = json!({ "name": name, "shadow": version });
    context.terminal.result(&value, || match version {
        Some(version) => format!(
            "Version {version} of {name} answers beside the one in production and is not heard: see shadow_predictions_total \
             at /metrics. A running server takes it within two seconds."
        ),
        None => format!("No version of {name} answers beside the one in production."),
    })
}
