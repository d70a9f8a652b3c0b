//! `streamflow models`: the versions of the registry and which of them is served.

mod canary;
mod export;
pub mod import;
mod shadow;
pub mod show;

use std::process::ExitCode;

use clap::Subcommand;
use streamflow_performance::significant;

use super::{Context, actor, block_on};
use crate::mlflow;
use crate::notify::Outbox;
use crate::registry::Registry;
use crate::storage::{Pulled, Storage};
use crate::store::Store;
use crate::store::models::{By, ModelVersion, Origin};
use crate::terminal::table;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// All versions with their validation metrics
    Ls,
    /// One version: how it was trained, what was tried, its metrics, and what its features contribute
    Show(show::Args),
    /// Register a model that was trained elsewhere, after checking it on the newest month
    Import(import::Args),
    /// Write a version as a file for other programs: ONNX, or the file that it was imported from
    Export(export::Args),
    /// Make a version the production version; a running server swaps to it without dropping a request
    Promote {
        /// Number of the version, as `models ls` lists it
        #[arg(value_parser = version_number)]
        version: i64,
    },
    /// Return to the version that was in production before
    Rollback,
    /// Let a version answer a share of the entities in the place of the one in production, or tell how that goes
    Canary(canary::Args),
    /// Let a version answer beside the one in production without being heard, and tell in the metrics how it differs
    Shadow(shadow::Args),
}

impl Args {
    /// Everything but listing, showing, exporting and telling how a canary goes.
    pub fn changes_something(&self) -> bool {
        match self {
            Self::Ls | Self::Show(_) | Self::Export(_) => false,
            Self::Canary(args) => args.changes_something(),
            _ => true,
        }
    }
}

fn version_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected the number of a version; `streamflow models ls` lists them".to_owned())
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let (data_dir, name) = (context.data_dir(&config), &config.model.name);
    if !args.changes_something() {
        context.check_data_dir(&data_dir)?;
    }
    let actor = actor();
    let by = By { actor: &actor, run: None };
    block_on(async {
        // No workspace: a month that cannot be read must not keep anybody from going back to the version before.
        let store = Store::of(&config.store, &data_dir).await?;
        let outbox = Outbox::new(&store, &config);
        outbox.begin().await;
        let storage = Storage::open(&config.place(context.data_dir.as_deref()), &config.storage)?;
        let registry = Registry::new(store.clone(), &data_dir).in_bucket(storage);
        registry.pull(&mut Pulled::default()).await?;
        let version = match args {
            Args::Ls => {
                let mut versions = Vec::new();
                for version in registry.versions().await? {
                    versions.push(Listed { how: registry.how(&version).await, version });
                }
                return context.terminal.result(&versions, || list(&versions));
            }
            Args::Show(args) => return show::run(&args, &registry, name, context).await,
            Args::Shadow(args) => {
                return shadow::run(&args, &registry, (&config, &actor), context).await;
            }
            Args::Canary(args) => {
                return canary::run(&args, (&registry, &store), (name, &actor), context).await;
            }
            Args::Export(args) => return export::run(&args, &registry, name, context).await,
            Args::Promote { version } => registry.promote(name, version, by).await.map(|()| version)?,
            Args::Import(args) => return import::run(&args, context).await,
            Args::Rollback => registry.rollback(name, by).await?,
        };
        outbox.tell_within_budget().await;
        mlflow::tell_within_budget(&config, &store, &registry).await;
        let value = serde_json::json!({ "name": name, "production": version });
        context.terminal.result(&value, || format!("Version {version} of {name} is in production."))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The month that a version was trained on, or where it comes from.
fn trained_on(version: &ModelVersion) -> String {
    match &version.origin {
        None => version.as_of.clone(),
        Some(Origin { file, trained_until: None, .. }) => format!("elsewhere ({file})"),
        Some(Origin { file, trained_until: Some(until), .. }) => format!("until {until} ({file})"),
    }
}

/// The validation metrics that a reader compares versions by, the one that decides first.
fn metrics(version: &ModelVersion) -> String {
    let names: &[(&str, &str)] = match version.task.as_str() {
        "regression" => &[("rmse", "RMSE"), ("mae", "MAE"), ("r2", "R²")],
        "multiclass" => &[("log_loss", "log loss"), ("accuracy", "accuracy"), ("macro_f1", "macro F1")],
        _ => &[("auc", "AUC"), ("f1", "F1"), ("log_loss", "log loss")],
    };
    let known = names.iter().filter_map(|(key, name)| {
        let value = version.metrics[*key].as_f64()?;
        Some(match version.task.as_str() {
            "regression" => format!("{name} {}", significant(value)),
            _ => format!("{name} {value:.4}"),
        })
    });
    known.collect::<Vec<_>>().join(", ")
}

/// A version with how it came to be.
#[derive(Debug, serde::Serialize)]
struct Listed {
    #[serde(flatten)]
    version: ModelVersion,
    how: String,
}

fn list(versions: &[Listed]) -> String {
    if versions.is_empty() {
        return "No model has been trained yet; `streamflow train --as-of DATE` trains one.".to_owned();
    }
    let mut table = table(["MODEL", "VERSION", "STAGE", "TASK", "HOW", "TRAINED ON", "METRICS", "CREATED"]);
    for Listed { version, how } in versions {
        table.add_row([
            version.name.clone(),
            version.version.to_string(),
            if version.production { "production".into() } else { String::new() },
            version.task.clone(),
            how.clone(),
            trained_on(version),
            metrics(version),
            version.created_at.clone(),
        ]);
    }
    table.to_string()
}
