//! Keeping a data directory for years: backups of it, and what becomes of what is old.

mod archive;
pub mod backup;
mod copy;
mod digest;
pub mod forget;
mod leftover;
mod lock;
mod manifest;
mod named;
pub mod prune;
pub mod restore;
mod stage;

pub use copy::copy_data;
pub use leftover::leftovers;
pub use lock::Busy;
pub use stage::Origin;
