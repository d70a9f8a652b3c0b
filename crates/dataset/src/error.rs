//! Everything that can go wrong with a dataset, in words for the person who sent the data.

use std::fmt;
use std::path::PathBuf;

use crate::period::Period;
use crate::problem::{Fault, Problem};
use crate::snapshot::expectations::Validation;

/// Why a call failed. Nothing was changed on disk unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `[dataset]` section contradicts itself; every contradiction is listed.
    #[error("the [dataset] section has {}", list(.0.len() as u64, .0))]
    Spec(Vec<String>),
    /// The files of a drop cannot be read as the tables of the configuration.
    #[error("the drop {name} was not ingested: {}", list(*.count, .problems))]
    Rejected {
        /// The drop: its folder, or what its rows were read from.
        name: String,
        /// The first problems, at most [`crate::PROBLEMS_SHOWN`].
        problems: Vec<Problem>,
        /// How many there are in all.
        count: u64,
    },
    /// The files are tables, but their contents break an expectation.
    #[error("the drop was not ingested: {0}")]
    ExpectationsFailed(Box<Validation>),
    /// The date holds other data already.
    #[error(
        "{as_of} is ingested already and this drop differs in {}; ask for a replacement (--replace) to swap it",
        .differences.join(", ")
    )]
    Differs {
        /// The date of both.
        as_of: Period,
        /// What differs, such as `users (other content)`.
        differences: Vec<String>,
    },
    /// What the rows of a drop came from failed before it had given them all.
    #[error(transparent)]
    Came(Box<dyn std::error::Error + Send + Sync>),
    /// Another process is writing to the data directory.
    #[error("{} is locked by another writer; wait until it has finished", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// No snapshot answers for the date.
    #[error("no snapshot {} {as_of}; {}", if *.exact { "of" } else { "at or before" }, dates(.available))]
    NoSnapshot {
        /// The date asked for.
        as_of: Period,
        /// Whether the snapshot had to be of that very date.
        exact: bool,
        /// The dates that exist, ascending.
        available: Vec<Period>,
    },
    /// A snapshot lacks a configured column, because it was ingested under another configuration.
    #[error(
        "the snapshot of {table} as of {as_of} has no column {column}: it was ingested under another configuration; ingest that month again (--replace), or say with `since` and `until` at which dates the column is there"
    )]
    SnapshotColumn {
        /// The table.
        table: String,
        /// The date of the snapshot.
        as_of: Period,
        /// The column that is missing or has another type.
        column: String,
    },
    /// A file given to [`crate::TableFile`] is not a table.
    #[error("{0}")]
    Table(Box<Problem>),
    /// A manifest in the ledger cannot be read.
    #[error("the ledger entry {} is damaged: {reason}; ingest that month again with --replace, which writes it anew, or restore it from a backup", .path.display())]
    Ledger {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest in the ledger is of a format that came later.
    #[error("the ledger entry {} has the format {format} of a later release; this one reads formats 1 to {newest}: use that release, or restore the data directory from before its first ingest", .path.display())]
    NewerLedger {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        format: u32,
        /// The last format that is known.
        newest: u32,
    },
    /// The list of forgotten entities cannot be read: without it, an ingest would bring them back.
    #[error("the list of forgotten entities {} is damaged: {reason}; restore it from a backup", .path.display())]
    Forgotten {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that names no entity.
    #[error("{value:?} is no value of {column}; name the entity as the tables do")]
    Entity {
        /// What was given.
        value: String,
        /// The column that names an entity, or a part of it.
        column: String,
    },
    /// A text that does not name an entity whose key has several columns.
    #[error("{given:?} names no entity, because of {part}: {reason}; name it as {form}")]
    EntityPart {
        /// What was given.
        given: String,
        /// The column, or what is none.
        part: String,
        /// What is wrong with it.
        reason: &'static str,
        /// How an entity is named.
        form: String,
    },
    /// A table in memory that does not say which entity a row is of.
    #[error("{}", no_key(.column, *.row))]
    NoKey {
        /// The column of the key.
        column: String,
        /// The row without a value, from 0; none where there is no such column.
        row: Option<usize>,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Its answer.
        source: std::io::Error,
    },
    /// A glob without a match.
    #[error("no file matches {pattern}; quote a pattern so that the shell leaves it alone")]
    NoMatch {
        /// As it was given.
        pattern: String,
    },
    /// A snapshot's file is not what was written.
    #[error(
        "the snapshot of {table} as of {as_of} is damaged: {reason}; {}", if *.is_recorded {
            "ingest the same drop again, which writes the file anew, or another one with --replace"
        } else {
            "ingest that month again with --replace"
        }
    )]
    Damaged {
        /// The table.
        table: String,
        /// The date of the snapshot.
        as_of: Period,
        /// What is wrong with it.
        reason: String,
        /// Whether the ledger has its checksum, so that an ingest of the same drop sees the damage.
        is_recorded: bool,
    },
    /// Snapshots were replaced faster than they could be read.
    #[error("the snapshots changed during each of {attempts} reads; try again")]
    Overtaken {
        /// How often it was tried.
        attempts: usize,
    },
    /// Whoever decides about commits elsewhere has refused this one, or what was committed there did not come.
    #[error("{0}")]
    Refused(Box<dyn std::error::Error + Send + Sync>),
    /// The Parquet writer failed on data that had passed every check.
    #[error("the table engine failed: {0}")]
    Engine(String),
}

impl Error {
    /// Attaches what was tried to an error of the operating system; for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// The kind of the operating system's answer, if it is one.
    pub(crate) fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Error::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// What is wrong with a file that is not one of a drop.
    pub(crate) fn of_file(name: &str, fault: Fault) -> Error {
        match fault {
            Fault::Io { action, source } => Error::Io { action, path: PathBuf::from(name), source },
            Fault::At { position, column, kind } => Error::Table(Box::new(Problem {
                file: name.to_string(),
                table: None,
                position,
                entity: None,
                column,
                kind,
            })),
        }
    }
}

fn no_key(column: &str, row: Option<usize>) -> String {
    match row {
        Some(row) => format!("row {row} of the table has no {column}"),
        None => format!("the table has no column {column}"),
    }
}

fn list(count: u64, items: &[impl fmt::Display]) -> String {
    let mut text = if count == 1 { "1 problem".to_string() } else { format!("{count} problems") };
    for item in items {
        text.push_str(&format!("\n  - {item}"));
    }
    let rest = count.saturating_sub(items.len() as u64);
    if rest > 0 {
        text.push_str(&format!("\n  … and {rest} more"));
    }
    text
}

fn dates(dates: &[Period]) -> String {
    if dates.is_empty() {
        return "none was ingested yet".to_string();
    }
    let dates: Vec<String> = dates.iter().map(Period::to_string).collect();
    format!("there are {}", dates.join(", "))
}
