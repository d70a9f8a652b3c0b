//! What can go wrong while two tables are compared, in words for the person who named them.

use std::path::PathBuf;

use crate::engine::EngineFailed;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table that cannot be read.
    #[error(transparent)]
    Table(#[from] streamflow_dataset::Error),
    /// Settings or counts that cannot be compared.
    #[error(transparent)]
    Drift(#[from] streamflow_drift::Error),
    /// The engine gave no answer.
    #[error(transparent)]
    Engine(#[from] EngineFailed),
    /// A column that the settings name and no table has.
    #[error("neither table has a column {name:?}{}", .nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    NoColumn {
        /// As it was named.
        name: String,
        /// The column most like it.
        nearest: Option<String>,
    },
    /// A column that the settings judge and that holds nothing to compare.
    #[error("the column {name:?} cannot be compared: {reason}")]
    NotCompared {
        /// The column.
        name: String,
        /// What it holds.
        reason: String,
    },
    /// A table that no engine reads.
    #[error(
        "{} is not files of Parquet, which is what an engine reads; write the table as Parquet, or have this machine \
         count it, without an engine", .name.display()
    )]
    NotParquet {
        /// As it was named.
        name: PathBuf,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that begins as a profile and is none, or parts that are not of one table.
    #[error("{}: {reason}", .path.display())]
    Profile {
        /// The file, or the part.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
