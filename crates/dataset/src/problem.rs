//! What can be wrong with the contents of a file, in words for the person who made the file.

use std::fmt;
use std::io;

use crate::cell::shorten;
use crate::format::Format;
use crate::format::allowance::EXCEEDED;
use crate::period::Period;

/// One thing that is wrong with one file, and where.
///
/// Prints as `usage.csv line 17, column skips: "many" is not an integer; …`. The line is the line of
/// the text file on which the record starts, the header being line 1; in Parquet, the row from 1. A row of another system
/// is named by its entity, as in `usage_snapshots user_id=ada, column skips: …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The file, as the reader would name it.
    pub file: String,
    /// The configured table, when the file belongs to one.
    pub table: Option<String>,
    /// Where in the file.
    pub position: Option<Position>,
    /// The entity of the row, such as `user_id=ada`, where a position would tell nobody where to look.
    pub entity: Option<String>,
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
        match (&self.entity, self.position) {
            (Some(entity), _) => write!(f, " {entity}")?,
            (None, Some(position)) => write!(f, " {position}")?,
            (None, None) => {}
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

/// Why the contents of a file cannot be read, or not further.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The operating system refused what was tried, such as `read`.
    Io { action: &'static str, source: io::Error },
    /// Something is wrong with the contents.
    At { position: Option<Position>, column: Option<String>, kind: ProblemKind },
}

impl Fault {
    /// The operating system refused to do this; for `map_err`.
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Fault {
        move |source| Fault::Io { action, source }
    }

    /// Something is wrong with a line of a text file.
    pub(crate) fn at_line(line: u64, kind: ProblemKind) -> Fault {
        Fault::At { position: Some(Position::Line(line)), column: None, kind }
    }

    /// Something is wrong with a column.
    pub(crate) fn in_column(name: &str, kind: ProblemKind) -> Fault {
        Fault::At { position: None, column: Some(shorten(name)), kind }
    }
}

impl From<ProblemKind> for Fault {
    fn from(kind: ProblemKind) -> Self {
        Fault::At { position: None, column: None, kind }
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
    /// No file for a configured table, but one of its name in another format.
    #[error("is missing, and {found:?} is of no format that is read; save it as {expected}")]
    OtherFormat {
        /// The file.
        found: String,
        /// The names that the table may have.
        expected: String,
    },
    /// `TABLE.csv` and `TABLE.parquet`, or two others of a table, in one drop.
    #[error("the table comes more than once: {}; leave one of them", .files.join(", "))]
    TwoFiles {
        /// Its files.
        files: Vec<String>,
    },
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
    /// Neither Parquet nor Arrow, where nothing else is read.
    #[error("is neither Parquet nor Arrow")]
    NotColumnar,
    /// Named as Parquet without being it.
    #[error("is named .parquet but does not start as a Parquet file does; name CSV text .csv")]
    NotParquet,
    /// A Parquet or Arrow file that the reader gives up on.
    #[error("is a damaged or incomplete {format} file ({reason}); copy it again")]
    Damaged {
        /// What it is.
        format: Format,
        /// The reader's reason.
        reason: String,
    },
    /// A table in memory that unpacks to more than it may.
    #[error("{EXCEEDED}; send its rows in several smaller tables")]
    OverAllowance,
    /// Text that is not UTF-8, in a file whose encoding can be named.
    #[error("is not UTF-8 text; name its encoding, such as --encoding latin1, or save it as UTF-8")]
    OtherEncoding,
    /// Text in UTF-16 that nothing announces.
    #[error(
        "seems to be UTF-16 without a byte order mark; name it with --encoding {encoding}, or save it as UTF-8"
    )]
    Utf16WithoutMark {
        /// Its name.
        encoding: &'static str,
    },
    /// A pipe or a device, such as `/dev/stdin` or the `<(…)` of a shell.
    #[error("is no file that can be read more than once (a pipe?); save it as a file first")]
    ReadOnce,
    /// A separator was named that the header does not have, and another one makes columns of it.
    #[error(
        "the header has no {named:?}, and {found:?} would make {columns} columns of it; name that with --separator"
    )]
    OtherSeparator {
        /// The separator that was named.
        named: char,
        /// The separator found.
        found: char,
        /// Columns that it makes.
        columns: usize,
    },
    /// A folder without anything to read.
    #[error("is a folder without files to read; name a file, or a folder that holds the parts of a table")]
    NoParts,
    /// A part without a byte.
    #[error("is empty, and a folder is read as the parts of one table; remove this part or write it again")]
    EmptyPart,
    /// A folder of parts that holds another folder, as partitioned tables do.
    #[error(
        "holds the folder {inner:?}; a table that is partitioned by folders is not read as one: name one of them"
    )]
    FolderInFolder {
        /// The folder inside.
        inner: String,
    },
    /// A folder of parts that holds a file of another kind.
    #[error(
        "holds {file:?}, which is text beside Parquet or Arrow files; a folder is read as the parts of one table: move it away"
    )]
    NotAPart {
        /// The file.
        file: String,
    },
    /// A part with other columns.
    #[error(
        "the columns are not those of {first}; a folder is read as the parts of one table, with the same columns in the same order: name one file, or move away what is no part"
    )]
    OtherColumns {
        /// The first part.
        first: String,
    },
    /// A part in which a column has another type.
    #[error("has the type {found} here and {first} in an earlier part")]
    OtherType {
        /// The type found.
        found: String,
        /// The type of the parts before.
        first: String,
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
    /// A column of the file that its table has at other dates.
    #[error(
        "is a column of {table} {dates}, and the drop is as of {as_of}; remove it from the file or change its dates under [dataset.tables.{table}.columns]"
    )]
    ColumnOfOtherDates {
        /// The configured table.
        table: String,
        /// When the table has it, such as `since 2026-03-01`.
        dates: String,
        /// The date of the drop.
        as_of: Period,
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
    /// A column that is asked for and has a type that is not read.
    #[error(
        "has values of the type {found}, which is not read; expected numbers, booleans, text or dates: write the column as one of them"
    )]
    UnreadType {
        /// The type found.
        found: String,
    },
    /// A missing value where none may be.
    #[error("is missing; this column is declared as not nullable")]
    MissingValue,
    /// A label of a regression that is no number to learn from.
    #[error(
        "{value:?} is not a finite number, and the label of a regression is one; leave the field empty for missing"
    )]
    NotFinite {
        /// The value.
        value: String,
    },
    /// A label beside the one that counts as true and the only other one.
    #[error(
        "{value:?} is a third value beside {positive:?}, which counts as true, and {negative:?}; a label of two classes has two: set dataset.label.task = \"multiclass\" for more"
    )]
    ThirdLabel {
        /// The value, shortened.
        value: String,
        /// The value that counts as true.
        positive: String,
        /// The other value, which was seen first.
        negative: String,
    },
    /// A label that is none of the classes.
    #[error(
        "{value:?} is not one of dataset.label.classes{}; name it there, or leave the field empty for missing", did_you_mean(.nearest)
    )]
    UnknownClass {
        /// The value, shortened.
        value: String,
        /// A class whose name is close.
        nearest: Option<String>,
    },
    /// A label of so many classes is none.
    #[error(
        "has more than {most} different values, too many for classes; join the rare ones, or set dataset.label.task = \"regression\" for amounts"
    )]
    TooManyClasses {
        /// The most classes.
        most: usize,
    },
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
    /// What whoever gave the rows of another system found, in their words.
    #[error("{0}")]
    Told(String),
    /// The file changed between two looks at it.
    #[error("changed while it was read; ingest it once it is complete")]
    Changed,
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
