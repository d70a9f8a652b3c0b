//! `streamflow up`: everything in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::Context;
use crate::run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the prediction API; port 0 takes a free one [default: from the configuration, 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Address of the console and Prometheus's API [default: from the configuration, 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR:PORT")]
    console: Option<SocketAddr>,
    /// A prometheus.yml that says what to scrape [default: from the configuration; else this process alone]
    #[arg(long, value_name = "FILE")]
    prometheus_config: Option<PathBuf>,
    /// Folder of the drift reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
    /// Folder of the stored samples, which each server of a shared data directory needs for itself [default: metrics/ in the
    /// data directory]
    #[arg(long, env = "STREAMFLOW_METRICS_DIR", value_name = "DIR")]
    metrics_dir: Option<PathBuf>,
    /// Serve the console on a public address although nobody has to log in
    #[arg(long)]
    insecure: bool,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut config = context.config()?;
    config.api.read_key_file()?;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    if let Some(console) = args.console {
        config.console.listen = console;
    }
    if let Some(file) = args.prometheus_config {
        config.metrics.prometheus_config = Some(std::path::absolute(file)?);
    }
    run::runtime()?.block_on(async {
        let listeners = run::Listeners::bind(&config, args.insecure).await?;
        let (api, console) = listeners.urls(&config)?;
        let grpc = listeners.grpc_line()?;
        let workspace = context.workspace_as_is(config, args.report_dir.as_deref()).await?;
        run::bring(&workspace).await;
        let shutdown = run::shutdown_signal()?;
        let metrics_dir = args.metrics_dir.unwrap_or_else(|| workspace.data_dir.join("metrics"));
        let server = run::up(listeners, workspace, metrics_dir, shutdown).await?;
        context.terminal.stdout(&format!(
            "listening on {}{grpc}\nconsole on {}",
            api.as_str().trim_end_matches('/'),
            console.as_str().trim_end_matches('/')
        ))?;
        server.await?
    })?;
    Ok(ExitCode::SUCCESS)
}
