//! Engines of the crate `streamflow-cluster`.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use streamflow_cluster::{Engine as Sql, Error, Target};
use streamflow_dataset::StoredTable;
use tokio::runtime::{Builder, Runtime};

use super::{EngineFailed, Summary};

/// An engine that answers in SQL.
pub struct Engine {
    runtime: Runtime,
    sql: Sql,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Starts the engine of this name, which answers a canary query as this process would. Each query may take as long as
    /// the `limit`.
    ///
    /// # Errors
    /// A name that is none; [`EngineFailed`].
    pub fn start(name: &str, limit: Duration) -> anyhow::Result<Self> {
        let target: Target = name.parse()?;
        let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
        let sql = runtime.block_on(Sql::start(&target, limit)).map_err(failed)?;
        Ok(Self { runtime, sql })
    }

    /// The named columns of a table, in this order; `done` is called once for each.
    ///
    /// # Errors
    /// [`EngineFailed`].
    pub fn summarise(
        &self,
        table: &StoredTable,
        names: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<Vec<Summary>> {
        let summaries = self.runtime.block_on(self.sql.summarise(table, names, done)).map_err(failed)?;
        let summary = |summary| match summary {
            streamflow_cluster::Summary::Counted(column) => Summary::Counted(column),
            streamflow_cluster::Summary::Bounded(column) => Summary::Bounded(column),
        };
        Ok(summaries.into_iter().map(summary).collect())
    }
}

fn failed(error: Error) -> anyhow::Error {
    EngineFailed(error.to_string()).into()
}
