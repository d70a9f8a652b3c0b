//! The drift of the project's own data: months compared, report folders read, the newest report watched.
//!
//! The comparison itself is the crates `streamflow-compare` and `streamflow-drift`; here is what reads, names and keeps.

mod columns;
pub mod engine;
mod labels;
pub mod months;
pub mod performance;
mod reports;
mod settings;
pub mod watcher;

pub use columns::{TrainingTable, entity_ids};
pub use labels::{target_change, target_difference, task_of, with_label};
pub use reports::{LIVE_PREFIX, ReportEntry, ReportFiles, ReportFolder};
pub use settings::{Rules, settings};
