//! A binary without other engines: no value of [`Engine`] exists in it.

use std::time::Duration;

use anyhow::bail;
use streamflow_dataset::StoredTable;

use super::Summary;

/// An engine that answers in SQL.
#[derive(Debug)]
pub enum Engine {}

impl Engine {
    /// Starts the engine of this name.
    ///
    /// # Errors
    /// Always: the binary has none.
    pub fn start(name: &str, _limit: Duration) -> anyhow::Result<Self> {
        bail!(
            "this binary was built without the engine {name}; build it with `cargo build --release --features cluster -p \
             streamflow`, or leave --engine out to count on this machine"
        )
    }

    /// The named columns of a table, in this order.
    ///
    /// # Errors
    /// What the engine says.
    pub fn summarise(
        &self,
        _table: &StoredTable,
        _names: &[&str],
        _done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<Vec<Summary>> {
        match *self {}
    }
}
