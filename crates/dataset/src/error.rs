//! Everything that can go wrong with a dataset, in words for the person who sent the data.

use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::expectation::Validation;

/// Why a call failed. Nothing was changed on disk unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `[dataset]` section contradicts itself; every contradiction is listed.
    #[error("the [dataset] section has {}", list(.0.len() as u64, .0))]
    Spec(Vec<String>),
    /// The files of a drop cannot be read as the tables of the configuration.
    #[error("the drop {} was not ingested: {}", .directory.display(), list(*.count, .problems))]
    Rejected {
        /// The drop.
        directory: PathBuf,
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
        as_of: Date,
        /// What differs, such as `users (other content)`.
        differences: Vec<String>,
    },
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
        as_of: Date,
        /// Whether the snapshot had to be of that very date.
        exact: bool,
        /// The dates that exist, ascending.
        available: Vec<Date>,
    },
    /// A snapshot lacks a configured column, because it was ingested under another configuration.
    #[error(
        "the snapshot of {table} as of {as_of} has no column {column}: it was ingested under another configuration; ingest that month again (--replace)"
    )]
    SnapshotColumn {
        /// The table.
        table: String,
        /// The date of the snapshot.
        as_of: Date,
        /// The column that is missing or has another type.
        column: String,
    },
    /// A file given to [`crate::TableFile`] is not a table.
    #[error("{0}")]
    Table(Box<Problem>),
    /// A manifest in the ledger cannot be read.
    #[error("the ledger entry {} is damaged: {reason}; restore it from a backup or delete it and ingest that month again", .path.display())]
    Ledger {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
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
    /// A snapshot's file is not what was written.
    #[error(
        "the snapshot of {table} as of {as_of} is damaged: {reason}; ingest that month again (--replace)"
    )]
    Damaged {
        /// The table.
        table: String,
        /// The date of the snapshot.
        as_of: Date,
        /// What is wrong with it.
        reason: String,
    },
    /// Snapshots were replaced faster than they could be read.
    #[error("the snapshots changed during each of {attempts} reads; try again")]
    Overtaken {
        /// How often it was tried.
        attempts: usize,
    },
    /// The Parquet writer failed on data that had passed every check.
    #[error("the table engine failed: {0}")]
    Engine(String),
    /// The stop that a test asked for.
    #[cfg(test)]
    #[error("stopped before step {0}")]
    Stopped(u64),
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
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::Table(Box::new(problem))
    }
}

/// One thing that is wrong with one file, and where.
///
/// Prints as `usage.csv line 17, column skips: "many" is not an integer; …`. The line is the line of
/// the text file on which the record starts, the header being line 1; in Parquet, the row from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The file, as the reader would name it.
    pub file: String,
    /// The configured table, when the file belongs to one.
    pub table: Option<String>,
    /// Where in the file.
    pub position: Option<Position>,
    /// The column.
    pub column: Option<String>,
    /// What is wrong, what was expected, and the remedy.
    pub kind: ProblemKind,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Position {
    /// Line of a text file, from 1.
    Line(u64),
    /// Row of a Parquet file, from 1.
    Row(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Line(line) => write!(f, "line {line}"),
            Position::Row(row) => write!(f, "row {row}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(position) = self.position {
            write!(f, " {position}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemKind {
    /// No file for a configured table.
    #[error("is missing{}; put it beside the other tables", found_instead(.nearest))]
    MissingFile {
        /// A file whose name is close.
        nearest: Option<String>,
    },
    /// `TABLE.csv` and `TABLE.parquet` in one drop.
    #[error("the table comes both as .csv and as .parquet; leave one of them")]
    TwoFiles,
    /// Nothing in the file.
    #[error("is empty; expected a header line with the column names")]
    EmptyFile,
    /// The entity table without a row.
    #[error("has a header but no rows; the entity table needs at least one")]
    NoEntities,
    /// Bytes that are not UTF-8.
    #[error("is not UTF-8 text{}; save it as UTF-8", if *.utf16 { " (it looks like UTF-16)" } else { "" })]
    NotUtf8 {
        /// It starts as UTF-16 does.
        utf16: bool,
    },
    /// Another format altogether.
    #[error("is {found}; expected CSV text or a Parquet file")]
    NotATable {
        /// What it looks like.
        found: &'static str,
    },
    /// Named as Parquet without being it.
    #[error("is named .parquet but does not start as a Parquet file does; name CSV text .csv")]
    NotParquet,
    /// A Parquet file that the reader gives up on.
    #[error("is a damaged or incomplete Parquet file ({reason}); copy it again")]
    DamagedParquet {
        /// The reader's reason.
        reason: String,
    },
    /// A header that is one column because the separator is another.
    #[error("the columns seem to be separated by {separator:?}; only commas are read")]
    Separator {
        /// The separator found.
        separator: char,
    },
    /// A record of another width than the header.
    #[error(
        "has {found} field{} where the header has {expected}; quote fields that contain commas or line breaks",
        if *found == 1 { "" } else { "s" }
    )]
    Ragged {
        /// Fields of the record.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A record past the size limit.
    #[error("the record is longer than {limit_mib} MiB; a quote is probably not closed")]
    RecordTooLong {
        /// The limit.
        limit_mib: usize,
    },
    /// A header past the column limit.
    #[error("has more than {limit} columns; is this the right file?")]
    TooManyColumns {
        /// The limit.
        limit: usize,
    },
    /// A name used twice.
    #[error("the header names this column more than once; rename or drop one")]
    DuplicateColumn,
    /// A column of the file that no table of the configuration has.
    #[error("is not a column of {table} in the configuration{}; remove it from the file or declare it under [dataset.tables.{table}.columns]", did_you_mean(.nearest))]
    UnknownColumn {
        /// The configured table.
        table: String,
        /// A configured name that is close.
        nearest: Option<String>,
    },
    /// A column without a name, as pandas writes its index.
    #[error("column {index} has no name; if pandas wrote the file, write it with index=False")]
    UnnamedColumn {
        /// From 1.
        index: usize,
    },
    /// A configured column that the file lacks.
    #[error("is missing; the header has {header}")]
    MissingColumn {
        /// The header, shortened.
        header: String,
    },
    /// A value of another type.
    #[error("{value:?} is not {expected}{}", if value.contains('\n') { "; a quote is probably not closed" } else { "" })]
    WrongType {
        /// The value, shortened.
        value: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// A Parquet column of another type.
    #[error("has the Parquet type {found}, which does not hold {expected}")]
    WrongParquetType {
        /// The type found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A column type that has no place in a flat table.
    #[error("has the Parquet type {found}; expected numbers, booleans, text or dates (leave the column out)")]
    UnsupportedParquetType {
        /// The type found.
        found: String,
    },
    /// A missing value where none may be.
    #[error("is missing; this column is declared as not nullable")]
    MissingValue,
    /// A row that belongs to nobody.
    #[error("the entity is missing; every row needs one")]
    MissingEntity,
    /// Two rows for one entity.
    #[error("{value:?} was seen before, at {first}; expected one row for each entity")]
    DuplicateEntity {
        /// The entity.
        value: String,
        /// Where it was first.
        first: Position,
    },
    /// A name that the file does not have.
    #[error("there is no such column{}", did_you_mean(.nearest))]
    NoSuchColumn {
        /// A name that is close.
        nearest: Option<String>,
    },
    /// The file changed between two looks at it.
    #[error("changed while it was read; ingest it once it is complete")]
    Changed,
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

fn dates(dates: &[Date]) -> String {
    if dates.is_empty() {
        return "none was ingested yet".to_string();
    }
    let dates: Vec<String> = dates.iter().map(Date::to_string).collect();
    format!("there are {}", dates.join(", "))
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

fn found_instead(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (there is a {name}; rename it?)"))
}

/// The candidate that was probably meant: at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // The distance takes time and memory in proportion to the product of the lengths.
    if name.len() > 200 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count().max(3))
        .min()
        .map(|(_, candidate)| candidate.to_string())
}
