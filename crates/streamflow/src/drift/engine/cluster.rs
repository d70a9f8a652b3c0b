//! Engines of the crate `streamflow-cluster`.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use streamflow_cluster::{Engine as Sql, Error, Target};
use streamflow_compare::{Engine, EngineFailed, Summary};
use streamflow_dataset::StoredTable;
use tokio::runtime::{Builder, Runtime};

/// An engine that answers in SQL, with the threads that wait for it.
struct Waiting {
    runtime: Runtime,
    sql: Sql,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

/// Starts the engine of this name, which answers a canary query as this process would. Each query may take as long as
/// the `limit`.
///
/// # Errors
/// A name that is none; [`EngineFailed`].
pub fn start(name: &str, limit: Duration) -> anyhow::Result<Box<dyn Engine>> {
    let target: Target = name.parse()?;
    let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let sql = runtime.block_on(Sql::start(&target, limit)).map_err(failed)?;
    Ok(Box::new(Waiting { runtime, sql }))
}

impl Engine for Waiting {
    fn summarise(
        &self,
        table: &StoredTable,
        names: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Summary>, EngineFailed> {
        self.runtime.block_on(self.sql.summarise(table, names, done)).map_err(failed)
    }
}

fn failed(error: Error) -> EngineFailed {
    EngineFailed(error.to_string())
}
