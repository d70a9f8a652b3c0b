//! `streamflow serve`: the prediction API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::Context;
use crate::api::{ApiState, FileModel, NamedFile};
use crate::config::ApiConfig;
use crate::imports::remote::Remote;
use crate::live::Live;
use crate::mlflow::reference::is_reference;
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
    /// neither a dataset nor a registry is needed. May be given several times; the name is that of the file without its
    /// ending, or the one before `=`. Also a model of the MLflow server of MLFLOW_TRACKING_URI, as models:/NAME@ALIAS,
    /// models:/NAME/STAGE, models:/NAME/VERSION or runs:/RUN_ID/PATH
    #[arg(long = "model", value_name = "[NAME=]FILE|URI", conflicts_with = "report_dir")]
    models: Vec<String>,
    /// Address at which the Open Inference Protocol is answered over gRPC [default: from the configuration, none]
    #[arg(long, value_name = "ADDR:PORT")]
    grpc_listen: Option<SocketAddr>,
    /// Let everybody who may ask for predictions load and unload the model files while they are served
    #[arg(long, requires = "models")]
    allow_load: bool,
}

impl Args {
    /// The settings of the prediction API, after the flags.
    fn over(&self, api: &mut ApiConfig) -> anyhow::Result<()> {
        api.read_key_file()?;
        if let Some(listen) = self.listen {
            api.listen = listen;
        }
        api.grpc_listen = self.grpc_listen.or(api.grpc_listen);
        api.allow_load |= self.allow_load;
        Ok(())
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if !args.models.is_empty() {
        return serve_files(&args, context);
    }
    let mut config = context.config()?;
    args.over(&mut config.api)?;
    run::runtime()?.block_on(async {
        let plane = run::Plane::of_predictions(&config.api).await?;
        let (url, grpc) = (plane.url()?, plane.grpc_line()?);
        let workspace = context.workspace_as_is(config, args.report_dir.as_deref()).await?;
        run::bring(&workspace).await;
        let shutdown = run::shutdown_signal()?;
        context.terminal.stdout(&format!("listening on {}{grpc}", url.as_str().trim_end_matches('/')))?;
        run::serve(plane, workspace, Live::default(), shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Serves model files, each under its own name.
fn serve_files(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config_if_any()?;
    let mut api = config.as_ref().map(|config| config.api.clone()).unwrap_or_default();
    args.over(&mut api)?;
    let settings = config.as_ref().map(|config| config.mlflow.clone()).unwrap_or_default();
    let folder = context.data_dir_of(config.as_ref()).join("mlflow");
    run::runtime()?.block_on(async {
        let (mut files, mut remotes) = (Vec::new(), Vec::new());
        for text in &args.models {
            if is_reference(text) {
                let (remote, identity, model) = Remote::open(text, &settings, folder.clone()).await?;
                let name = remote.name().to_owned();
                files.push(NamedFile { name, model: FileModel::new(identity, model), path: None });
                remotes.push(remote);
            } else {
                files.push(NamedFile::read(text)?);
            }
        }
        let plane = run::Plane::of_predictions(&api).await?;
        let (url, grpc) = (plane.url()?, plane.grpc_line()?);
        let state = ApiState::of_files(api, files)?;
        let shutdown = run::shutdown_signal()?;
        context.terminal.stdout(&format!("listening on {}{grpc}", url.as_str().trim_end_matches('/')))?;
        run::serve_files(plane, state, remotes, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}
