//! `streamflow models shadow`: a version that answers beside the one in production and is not heard.

use serde_json::json;

use super::super::{Context, Usage};
use super::version_number;
use crate::config::Config;
use crate::registry::Registry;
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
    registry: &Registry,
    (config, actor): (&Config, &str),
    context: &Context,
) -> anyhow::Result<()> {
    let name = &config.model.name;
    let configured = config.serve.shadow_version(name)?;
    match (args.version, args.end) {
        (Some(version), _) => registry.start_shadow(name, version, By { actor, run: None }).await?,
        (None, true) => registry.end_shadow(name, configured).await?,
        (None, false) => return Err(Usage::error("name the version, or say --end".to_owned())),
    }
    let version = args.version.or(configured);
    let value = json!({ "name": name, "shadow": version });
    context.terminal.result(&value, || match version {
        Some(version) if args.end => format!(
            "Version {version} of {name}, which the configuration names, answers beside the one in production again. It \
             ends when `[serve] shadow` is removed and the server is restarted."
        ),
        Some(version) => format!(
            "Version {version} of {name} answers beside the one in production and is not heard: see shadow_predictions_total \
             at /metrics. A running server takes it within two seconds."
        ),
        None => format!("No version of {name} answers beside the one in production."),
    })
}
