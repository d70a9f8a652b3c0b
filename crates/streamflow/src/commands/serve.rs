//! `streamflow serve`: the prediction API.

use std::net::SocketAddr;
use std::process::ExitCode;

use super::Context;
use crate::run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port; port 0 takes a free one [default: from the configuration, 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut config = context.config()?;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = run::bind(config.api.listen, "--listen").await?;
        let address = listener.local_addr()?;
        let workspace = context.workspace(config, None).await?;
        let shutdown = run::shutdown_signal()?;
        context.terminal.stdout(&format!("listening on http://{address}"))?;
        run::serve(listener, workspace, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}
