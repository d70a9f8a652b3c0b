//! Tables of a dataset on disk: validated when they come, kept as dated snapshots, read as of a date.
//!
//! It is not a warehouse: it knows one kind of write (a whole month, all tables at once) and one kind
//! of read (what was known of each entity at a date). The files are plain Parquet in Hive layout, so
//! any engine can do the rest.
//!
//! # Vocabulary
//! - **drop**: a directory with one CSV or Parquet file for each table, as it was delivered;
//! - **as_of**: the date that a drop describes; nothing in it was known later;
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
//! missing; dates are `YYYY-MM-DD`. Spaces around anything but text are ignored.
//!
//! # Example
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use streamflow_dataset::{DatasetSpec, PointInTime, Store};
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
//! let store = Store::open(data.path(), spec)?;
//! let january = "2024-01-31".parse()?;
//! store.ingest(drop.path(), january, false, &mut |_progress| {})?;
//!
//! let frame = store.point_in_time(january, PointInTime { labels: true, exact: true })?;
//! let hours = &frame.column("hours").ok_or("no such column")?.values;
//! assert_eq!((hours.text(0), hours.text(1)), (None, Some("2.5".to_string())));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cell;
mod column_tally;
mod commit;
mod count_table;
mod csv_blocks;
mod csv_fields;
mod csv_records;
mod csv_tally;
mod drop_files;
mod entity_index;
mod error;
mod expectation;
mod frame;
mod infer;
mod ingest;
mod ledger;
mod parquet_cells;
mod parquet_tally;
mod point_in_time;
mod rows;
mod slots;
mod source;
mod spec;
mod store;
mod table_file;
mod table_rows;
mod value_counts;

pub use error::{Error, Position, Problem, ProblemKind};
pub use expectation::{EXPECTATIONS, Expectation, ExpectationResult, Rule, Scalar, Unexpected, Validation};
pub use frame::{Column, Frame, MISSING, Values};
pub use ingest::{IngestReport, Outcome, Progress};
pub use ledger::{Snapshot, SnapshotTable};
pub use point_in_time::PointInTime;
pub use rows::PROBLEMS_SHOWN;
pub use source::Format;
pub use spec::{ColumnSpec, ColumnType, DatasetSpec, Label, TableSpec};
pub use store::Store;
pub use table_file::{Counted, Reading, TableFile};
pub use value_counts::{Counts, Numbers, ValueCounts};
