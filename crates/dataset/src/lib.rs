//! Tables of a dataset on disk: validated when they come, kept as dated snapshots, read as of a date.
//!
//! It is not a warehouse: it knows one kind of write (a whole month, all tables at once) and one kind
//! of read (what was known of each entity at a date). The files are plain Parquet in Hive layout, so
//! any engine can do the rest.
//!
//! # Vocabulary
//! - **drop**: a directory with one CSV or Parquet file for each table, as it was delivered;
//! - **as_of**: the date, or the time in UTC, that a drop describes; nothing in it was known later;
//! - **snapshot**: an ingested drop; the **ledger** lists them, one manifest for each date;
//! - **entity**: what a row is about, such as a user; one row in each table;
//! - **feature**, **label**: a column that the model sees, and the one that it predicts;
//! - **expectation**: what must be true of a table before it is ingested, named and counted as Great
//!   Expectations does;
//! - **point-in-time table**: a row for each entity with its last known features at a date.
//!
//! # Values in CSV
//! An empty field is missing in every type. Booleans are `true`, `True`, `TRUE`, `1` and `false`,
//! `False`, `FALSE`, `0`; whole numbers may end in `.0`; floats may be `inf` or `-inf`, and `nan` is
//! missing; dates are `YYYY-MM-DD`, and a time after one is cut off. Spaces around anything but text are ignored.
//!
//! # Example
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use streamflow_dataset::{DatasetSpec, PointInTime, Snapshots};
//!
//! let spec: DatasetSpec = toml::from_str(r#"
//!     entity = "user_id"
//!     entity_table = "users"
//!     features = ["hours"]
//!     label = { table = "labels", column = "churned" }
//!     tables.users.columns = { user_id = "string" }
//!     tables.usage.columns = { user_id = "string", hours = "float" }
//!     tables.usage.expectations = [
//!         { expect = "expect_column_values_to_be_between", column = "hours", min_value = 0 },
//!     ]
//!     tables.labels.columns = { user_id = "string", churned = "boolean" }
//! "#)?;
//! let drop = tempfile::tempdir()?;
//! std::fs::write(drop.path().join("users.csv"), "user_id\nada\nbob\n")?;
//! std::fs::write(drop.path().join("usage.csv"), "user_id,hours\nbob,2.5\n")?;
//! std::fs::write(drop.path().join("labels.csv"), "user_id,churned\nada,true\nbob,false\n")?;
//!
//! let data = tempfile::tempdir()?;
//! let snapshots = Snapshots::open(data.path(), spec)?;
//! let january = "2024-01-31".parse()?;
//! snapshots.ingest(drop.path(), january, false, &mut |_progress| {})?;
//!
//! let frame = snapshots.point_in_time(january, PointInTime { labels: true, exact: true })?;
//! let hours = &frame.column("hours").ok_or("no such column")?.values;
//! assert_eq!((hours.text(0), hours.text(1)), (None, Some("2.5".to_string())));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batches;
mod cell;
mod column_type;
mod count;
mod entity_key;
mod error;
mod format;
mod named;
mod pattern;
mod period;
mod problem;
mod snapshot;

pub use batches::{
    Batch, Intactness, OutputColumn, OutputFormat, OutputType, PlainColumn, TableRows, TableWriter,
    TextColumn, intactness,
};
pub use cell::Cell;
pub use column_type::ColumnType;
pub use count::left_out::{LeftOut, Reason};
pub use count::row_facts::RowFacts;
pub use count::table_file::{Counted, Reading, StoredTable, TableFile};
pub use count::value_counts::{Counts, Numbers, Unparseable, ValueCounts};
pub use entity_key::{EntityKey, KeyPart};
pub use error::Error;
pub use format::columnar::is_decoding;
pub use format::{CsvOptions, Format};
pub use named::NamedTable;
pub use pattern::{Glob, is_part_of_table, partitions};
pub use period::{Period, PeriodError};
pub use problem::{Position, Problem, ProblemKind};
pub use snapshot::checksums::{FileState, Verification, VerifiedFile};
pub use snapshot::commit_point::{CommitPoint, Publication, Refusal};
pub use snapshot::copy::CopiedTable;
pub use snapshot::expectations::{
    EXPECTATIONS, Expectation, ExpectationResult, Rule, Scalar, Unexpected, Validation,
};
pub use snapshot::forget::EntityRows;
pub use snapshot::frame::{Column, Frame, MISSING, Values};
pub use snapshot::ingest::{IngestReport, Outcome, Progress, RowDrop, TableIntake};
pub use snapshot::label::{Label, LabelTask, MAX_CLASSES};
pub use snapshot::ledger::{Snapshot, SnapshotTable};
pub use snapshot::point_in_time::PointInTime;
pub use snapshot::rows::PROBLEMS_SHOWN;
pub use snapshot::snapshots::Snapshots;
pub use snapshot::spec::{ColumnForms, ColumnSpec, DatasetSpec, TableSpec};
