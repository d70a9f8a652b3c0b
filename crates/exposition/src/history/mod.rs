//! OpenMetrics text in which every sample has its time: a history of series as a file, read and written as a stream.
//!
//! It is what `promtool tsdb create-blocks-from openmetrics` takes. Memory holds a line, whatever the file's size.

mod reader;
mod writer;

pub use reader::{HistoryError, HistoryReader};
pub use writer::HistoryWriter;

#[cfg(test)]
mod tests;
