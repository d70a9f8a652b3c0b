//! Stored samples as OpenMetrics text with times, and back: what `promtool tsdb create-blocks-from openmetrics` takes.

mod export;
mod import;
#[cfg(test)]
mod tests;

pub use export::{Exported, Selection, export};
pub use import::{ImportError, Imported, Importing, Reason, import};
