//! `streamflow serve`: the prediction API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::Context;
use crate::run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port; port 0 takes a free one [default: from the configuration, 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of the drift reports, of which the newest is told as metrics [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut config = context.config()?;
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
