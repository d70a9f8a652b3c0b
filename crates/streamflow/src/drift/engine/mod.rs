//! Engines that count the values of a table in place of this process, and are asked in SQL.

#[cfg(not(feature = "cluster"))]
mod absent;
#[cfg(feature = "cluster")]
mod cluster;

#[cfg(not(feature = "cluster"))]
pub use absent::start;
#[cfg(feature = "cluster")]
pub use cluster::start;
