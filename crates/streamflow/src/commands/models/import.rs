//! `streamflow models import`: a model that was trained elsewhere becomes a version of the registry.

use std::path::PathBuf;

use streamflow_dataset::Period;
use streamflow_model::ImportedFeature;

use super::super::{Context, CsvArgs, date};
use crate::config::check_model_name;
use crate::imports::{Request, import, listed};
use crate::mlflow;
use crate::model_file::ModelFile;
use crate::notify::Outbox;
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file of XGBoost (.json, .ubj), LightGBM (.txt), CatBoost (JSON) or ONNX, or a folder with one, such as
    /// MLflow's
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// Name in the registry [default: the one of the configuration, which is served]
    #[arg(long, value_parser = model_name)]
    name: Option<String>,
    /// A feature of the model and the column of the dataset that it is taken from, where they have different names
    #[arg(long, value_name = "FEATURE=COLUMN", value_parser = mapping)]
    map: Vec<ImportedFeature>,
    /// The last date of the data that it was trained on; without it, it may have been trained on every month
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
    trained_until: Option<Period>,
    /// A text, CSV, Parquet or Arrow file with the entities that it was trained on, whose rows do not judge it
    #[arg(long, value_name = "FILE")]
    trained_on: Option<PathBuf>,
    /// The probability from which a row is predicted positive, by a classifier of two classes
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.5)]
    threshold: f64,
    #[command(flatten)]
    csv: CsvArgs,
}

/// Parses a feature and its column of the command line.
pub fn mapping(text: &str) -> Result<ImportedFeature, String> {
    let pair = text.rsplit_once('=').filter(|(feature, column)| !feature.is_empty() && !column.is_empty());
    let (feature, column) = pair.ok_or("expected FEATURE=COLUMN, such as fee=monthly_fee")?;
    Ok(ImportedFeature { feature: feature.to_owned(), column: column.to_owned() })
}

/// Takes a name of the command line that may be one of a model.
fn model_name(text: &str) -> Result<String, String> {
    check_model_name("the name", text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

pub async fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let file = ModelFile::read(&args.file)?;
    let workspace = context.workspace(context.config()?, None).await?;
    let spec = &workspace.config.dataset;
    let trained_on = args.trained_on.as_ref().map(|path| listed::read(path, spec, args.csv.options()?));
    let trained_on = trained_on.transpose()?;
    let outbox = Outbox::new(&workspace.store, &workspace.config);
    outbox.begin().await;
    let request = Request {
        origin: file.name(),
        file,
        name: args.name.clone(),
        mapping: args.map.clone(),
        trained_until: args.trained_until,
        trained_on,
        threshold: args.threshold,
    };
    let imported = import(request, &workspace).await?;
    outbox.tell_within_budget().await;
    let Workspace { config, store, registry, .. } = &workspace;
    // MLflow has one registered model, for the one that is served.
    if imported.name == config.model.name {
        mlflow::registered(config, store, &imported.name, imported.version).await;
        mlflow::tell_within_budget(config, store, registry).await;
    }
    context.terminal.result(&imported, || imported.text())
}
