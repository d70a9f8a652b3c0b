//! The drift of two tables of any size, and their profiles: files, folders, globs, profiles or tables in memory come in, a
//! report goes out.
//!
//! `streamflow-dataset` counts the values of columns, `streamflow-drift` compares what was counted; here is what reads as
//! many columns at a time as a bounded memory holds, in this process or by an [`Engine`] that is asked in SQL.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use streamflow_compare::{Given, Input, Options, compare};
//! use streamflow_dataset::{CsvOptions, NamedTable};
//! use streamflow_drift::DriftSettings;
//!
//! let folder = tempfile::tempdir()?;
//! let [january, february] = ["january.csv", "february.csv"].map(|name| folder.path().join(name));
//! std::fs::write(&january, "hours\n1.5\n2.5\n")?;
//! std::fs::write(&february, "hours\n2.5\n3.5\n")?;
//! let [january, february] = [NamedTable::find(&january)?, NamedTable::find(&february)?];
//! let given = |table| Given::Files(Input { table, csv: CsvOptions::default() });
//! let tables = [given(&january), given(&february)];
//! let report = compare(tables, DriftSettings::default(), Options::default(), |settings, names| {
//!     names.check(settings)
//! })?;
//! assert_eq!(report.columns.len(), 1);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod columns;
mod engine;
mod error;
mod names;
mod profile;
mod side;
mod tables;

pub use columns::{compare_frames, counted_column, drift_columns, row_facts};
pub use engine::{Engine, EngineFailed, Summary, kind, stored};
pub use error::Error;
pub use names::{Names, nearest};
pub use profile::{profile, read_profile};
pub use side::{Given, Input};
pub use tables::{MEMORY_BYTES, Options, Progress, compare, essentials};
