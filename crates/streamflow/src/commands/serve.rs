//! `streamflow serve`: the prediction API.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use super::snapshots;
use crate::Context;
use crate::monitoring::Watcher;
use crate::registry::Registry;
use crate::reports::Folder;
use crate::run::{self, Loader};
use crate::serving::Served;
use crate::store::Store;

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
    let data_dir = config.data_dir(context.data_dir.as_deref());
    let config = Arc::new(config);
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = run::bind(config.api.listen, "--listen").await?;
        let address = listener.local_addr()?;
        let snapshots = snapshots(&config, &data_dir)?;
        let store = Store::open(&data_dir).await?;
        let registry = Registry::new(store.clone(), &data_dir);
        let watcher = Watcher::new(Folder::new(config.report_dir(None)), store);
        let shutdown = run::shutdown_signal()?;
        let loader = Loader::new(config.clone(), registry, snapshots, Served::default());
        context.terminal.stdout(&format!("listening on http://{address}"))?;
        run::serve(listener, loader, watcher, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}
