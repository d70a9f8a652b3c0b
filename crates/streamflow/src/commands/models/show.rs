//! `streamflow models show`: what a version learned from.

use serde::Serialize;
use streamflow_performance::significant;

use super::super::{Context, named_version};
use super::{metrics, trained_on};
use crate::registry::{FeatureImportance, Registry, VersionImportance};
use crate::store::models::ModelVersion;
use crate::terminal::table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version [default: the one in production of the configuration's model]
    #[arg(value_name = "[NAME:]VERSION|NAME")]
    version: Option<String>,
}

/// A version and what its features contribute.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    version: ModelVersion,
    importance: VersionImportance,
}

pub async fn run(args: &Args, registry: &Registry, model: &str, context: &Context) -> anyhow::Result<()> {
    let (name, version) = asked(args.version.as_deref(), model)?;
    let number = registry.resolve(&name, version).await?;
    let stored = registry.stored(&name, number).await?;
    let versions = registry.versions().await?;
    let version = versions.into_iter().find(|found| found.name == name && found.version == number);
    let version = version.ok_or_else(|| anyhow::anyhow!("model {name} has no version {number}"))?;
    let shown = Shown { version, importance: VersionImportance::of(&stored) };
    context.terminal.result(&shown, || shown.text())
}

/// The name and the number that a text says; without a number it is that of production.
pub fn asked(text: Option<&str>, model: &str) -> anyhow::Result<(String, Option<i64>)> {
    match text {
        None => Ok((model.to_owned(), None)),
        Some(text) => match text.parse() {
            Ok(version) => Ok((model.to_owned(), Some(version))),
            Err(_) => named_version(text),
        },
    }
}

impl Shown {
    fn text(&self) -> String {
        let Self { version, importance } = self;
        let stage = if version.production { ", in production" } else { "" };
        let mut text = format!(
            "{} version {}{stage}: {}, trained on {}, created {}\n{}\n\n",
            version.name,
            version.version,
            version.task,
            trained_on(version),
            version.created_at,
            metrics(version)
        );
        match &importance.unexplained {
            None => text.push_str(&format!(
                "Mean size of what each feature adds to an answer, on the scale of the {}:\n",
                importance.scale.replace('_', "-")
            )),
            Some(reason) => {
                text.push_str(&format!("What features add to an answer is not known: {reason}.\n"))
            }
        }
        let is_trained = importance.features.iter().any(|found| found.splits.is_some());
        let mut shown = if is_trained {
            table(["FEATURE", "MEAN |CONTRIBUTION|", "SHARE OF GAIN", "SPLITS"])
        } else {
            table(["FEATURE", "MEAN |CONTRIBUTION|"])
        };
        for FeatureImportance { feature, mean_abs_contribution, gain_share, splits } in &importance.features {
            let mut row = vec![feature.clone(), mean_abs_contribution.map(significant).unwrap_or_default()];
            if is_trained {
                row.push(gain_share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default());
                row.push(splits.map(|splits| splits.to_string()).unwrap_or_default());
            }
            shown.add_row(row);
        }
        text + &shown.to_string()
    }
}
