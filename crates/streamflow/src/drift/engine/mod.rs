//! Who counts the values of a table: this process, or an engine that is asked in SQL.

#[cfg(not(feature = "cluster"))]
mod absent;
#[cfg(feature = "cluster")]
mod cluster;

use streamflow_dataset::ValueCounts;
use streamflow_drift::Column;

#[cfg(not(feature = "cluster"))]
pub use absent::Engine;
#[cfg(feature = "cluster")]
pub use cluster::Engine;

/// A column that an engine has counted.
pub enum Summary {
    /// All of its values, as counting the file gives them.
    Counted(ValueCounts),
    /// Rounded numbers, or how many strings or dates, where the different values are too many.
    Bounded(Column),
}

/// What kept an engine from its answer. This process may count in its place, if that is asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}; --engine-fallback counts on this machine in its place")]
pub struct EngineFailed(pub String);
