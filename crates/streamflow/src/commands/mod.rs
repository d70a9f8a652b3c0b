//! One file per subcommand: its arguments and what it does.

pub mod check;
pub mod dashboards;
pub mod demo;
pub mod drift;
pub mod flows;
pub mod hash_password;
pub mod ingest;
pub mod init;
pub mod models;
pub mod monitor;
pub mod profile;
pub mod promql;
pub mod query;
pub mod sample;
pub mod serve;
pub mod train;
pub mod tsdb;
pub mod up;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use streamflow_dataset::Period;

use crate::config::Config;

/// Reads a date of the command line.
fn date(flag: &str, text: &str) -> anyhow::Result<Period> {
    text.parse()
        .ok()
        .with_context(|| format!("{flag} {text:?} is not a date; expected YYYY-MM-DD, such as 2024-01-31"))
}

/// The snapshots of the data directory.
fn snapshots(config: &Config, data_dir: &Path) -> anyhow::Result<Arc<streamflow_dataset::Snapshots>> {
    match streamflow_dataset::Snapshots::open(data_dir, config.dataset.clone()) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error @ streamflow_dataset::Error::Io { .. }) => Err(error).with_context(|| {
            format!(
                "the data directory {} cannot be used; choose one you may write to with --data-dir",
                data_dir.display()
            )
        }),
        Err(other) => Err(other.into()),
    }
}

/// Runs a command that talks to the database or the network and then ends.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
