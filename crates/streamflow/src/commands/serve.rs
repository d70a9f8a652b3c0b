//! `streamflow serve`: the prediction API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use streamflow_inference::ReadOptions;

use super::Context;
use crate::api::FileModel;
use crate::imports::remote::Remote;
use crate::mlflow::reference::is_reference;
use crate::model_file::ModelFile;
use crate::run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port; port 0 takes a free one [default: from the configuration, 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of the drift reports, of which the newest is told as metrics [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
    /// A model file of XGBoost, LightGBM, CatBoost or ONNX, served as it is: requests bring {"features": {...}}, and
    /// neither a dataset nor a registry is needed. Also a model of the MLflow server of MLFLOW_TRACKING_URI, as
    /// models:/NAME@ALIAS, models:/NAME/STAGE, models:/NAME/VERSION or runs:/RUN_ID/PATH
    #[arg(long, value_name = "FILE|URI", conflicts_with = "report_dir")]
    model: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if let Some(model) = &args.model {
        return serve_file(model, args.listen, context);
    }
    let mut config = context.config()?;
    config.api.read_key_file()?;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    run::runtime()?.block_on(async {
        let plane = run::Plane::bind(config.api.listen, config.api.tls.as_ref(), "--listen").await?;
        let url = plane.url()?;
        let workspace = context.workspace(config, args.report_dir.as_deref()).await?;
        let shutdown = run::shutdown_signal()?;
        context.terminal.stdout(&format!("listening on {}", url.as_str().trim_end_matches('/')))?;
        run::serve(plane, workspace, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Serves a model file under its own name.
fn serve_file(model: &Path, listen: Option<SocketAddr>, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config_if_any()?;
    let mut api = config.as_ref().map(|config| config.api.clone()).unwrap_or_default();
    api.read_key_file()?;
    if let Some(listen) = listen {
        api.listen = listen;
    }
    let uri = model.to_str().filter(|text| is_reference(text));
    let settings = config.as_ref().map(|config| config.mlflow.clone()).unwrap_or_default();
    let folder = context.data_dir_of(config.as_ref()).join("mlflow");
    run::runtime()?.block_on(async {
        let (remote, name, model) = match uri {
            Some(uri) => {
                let (remote, name, model) = Remote::open(uri, &settings, folder).await?;
                (Some(remote), name, model)
            }
            None => {
                let file = ModelFile::read(model)?;
                let name = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                (None, name, file.model(ReadOptions::default())?)
            }
        };
        let model = FileModel::new(name, model);
        let plane = run::Plane::bind(api.listen, api.tls.as_ref(), "--listen").await?;
        let url = plane.url()?;
        let shutdown = run::shutdown_signal()?;
        context.terminal.stdout(&format!("listening on {}", url.as_str().trim_end_matches('/')))?;
        run::serve_file(plane, api, model, remote, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}
