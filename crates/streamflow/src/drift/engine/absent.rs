//! A binary without other engines.

use std::time::Duration;

use anyhow::bail;
use streamflow_compare::Engine;

/// Starts the engine of this name.
///
/// # Errors
/// Always: the binary has none.
pub fn start(name: &str, _limit: Duration) -> anyhow::Result<Box<dyn Engine>> {
    bail!(
        "this binary was built without the engine {name}; build it with `cargo build --release --features cluster -p \
         streamflow`, or leave --engine out to count on this machine"
    )
}
