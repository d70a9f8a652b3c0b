//! The log of predictions: answers with the features they were made from, as Parquet by the hour.
//!
//! ```text
//! DATA/predictions/date=2024-03-01/hour=07/part-TIME-PROCESS-NUMBER.parquet    UTC; Hive layout
//! ```
//! A file is written aside with a checksum over its bytes and renamed when it is whole, so a folder never holds one that cannot
//! be read, and whoever reads one sees bytes that have changed since. Rows wait in
//! a bounded queue and never hold up an answer: what finds the queue full, or the disk, is dropped and counted. When an
//! hour has ended its files are merged.

mod again;
mod bounds;
mod columns;
mod entity;
mod forget;
mod health;
mod keys;
mod merge;
mod packed;
mod read;
mod record;
mod replaced;
mod table;
mod writer;

use std::path::{Path, PathBuf};

pub use again::score_again;
pub use entity::Naming;
pub use forget::{count as count_entity, forget as forget_entity};
pub use health::{Health, look};
pub use keys::others as other_keys;
pub use packed::{Row, Value, pack};
pub use read::{Logged, Window, files, files_by_hour, read, read_file};
pub use record::{Cell, Record, Shape};
pub use replaced::reading;
pub use table::{Asked, asked};
pub use writer::{Counts, Sink, Writing, open};

/// The folder of the log in a data directory.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("predictions")
}
