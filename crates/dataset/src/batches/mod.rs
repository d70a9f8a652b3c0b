//! Any table file, batch by batch in the order of its rows, and files that are written so: neither takes memory for the
//! whole.

mod checksum;
mod reader;
mod writer;

pub use checksum::{Intactness, intactness};
pub use reader::{Batch, TableRows};
pub use writer::{OutputColumn, OutputFormat, OutputType, PlainColumn, TableWriter, TextColumn};
