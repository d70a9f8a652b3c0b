//! What can be wrong with a request. What is wrong with one column is not an error: it is in the report.

use thiserror::Error;

/// Why no report could be made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A side names the same column twice.
    #[error("duplicate column {name:?} in {side}, expected every column name once")]
    DuplicateColumn {
        /// The repeated name.
        name: String,
        /// The name of the side: `DriftSettings::reference_name` or `DriftSettings::current_name`.
        side: String,
    },
    /// Columns of one side differ in length.
    #[error("column {name:?} of {side} has {rows} rows, expected {expected} as in the columns before it")]
    UnequalRows {
        /// The column that differs.
        name: String,
        /// The name of the side.
        side: String,
        /// The number of its rows.
        rows: usize,
        /// The length of the first column of that side.
        expected: usize,
    },
    /// A column has more rows than can be counted exactly.
    #[error("column {name:?} has more than {limit} rows, the most that are counted exactly")]
    TooManyRows {
        /// The column.
        name: String,
        /// The most rows accepted.
        limit: u64,
    },
    /// A text code points past its levels.
    #[error("column {name:?} holds text code {code}, expected less than {levels} or MISSING")]
    TextCode {
        /// The column.
        name: String,
        /// The code.
        code: u32,
        /// How many levels the column has.
        levels: usize,
    },
    /// The two sides of one comparison have different names.
    #[error(
        "reference column {reference:?} was paired with current column {current:?}, expected equal names"
    )]
    NameMismatch {
        /// Name on the reference side.
        reference: String,
        /// Name on the current side.
        current: String,
    },
    /// A comparison of nothing.
    #[error("neither side has the column, expected it on one side at least")]
    NoColumn,
    /// A side without rows, of which nothing can be said.
    #[error("{side} has no rows, expected one at least; look at what wrote it or compare another table")]
    NoRows {
        /// The name of the side.
        side: String,
    },
    /// Tables that share no column.
    #[error(
        "{reference} and {current} have no column in common, expected one at least; columns pair up by name, so look \
         at both header lines"
    )]
    NoCommonColumn {
        /// The name of the reference side.
        reference: String,
        /// The name of the current side.
        current: String,
    },
    /// No drift method has this name.
    #[error("unknown drift method {name:?}, expected one of {expected}")]
    UnknownMethod {
        /// What was asked for.
        name: String,
        /// Every known name.
        expected: String,
    },
    /// Profiles of two tables that are no parts of one.
    #[error("profiles do not merge at column {name:?}: {reason}")]
    Merge {
        /// The first column that differs.
        name: String,
        /// How.
        reason: String,
    },
    /// Text that is no JSON or lacks the shape of a profile.
    #[error("not a profile: {message}")]
    ProfileJson {
        /// What and where.
        message: String,
    },
    /// A profile with an impossible value.
    #[error("profile: {field} is {found}, expected {expected}")]
    ProfileField {
        /// The field, with its column.
        field: String,
        /// What it holds, shortened.
        found: String,
        /// What it can hold.
        expected: String,
    },
    /// A share outside 0 to 1.
    #[error("{name} is {value}; expected a share from 0 to 1, such as 0.30")]
    Share {
        /// What the caller calls it.
        name: String,
        /// What was given.
        value: f64,
    },
    /// A history of nothing.
    #[error("no report, expected one for each month after the reference")]
    NoReport,
    /// A history with two reports on the same current side.
    #[error("two reports are on {current:?}, expected one for each current side")]
    DuplicateReport {
        /// The name of that side.
        current: String,
    },
    /// Reports of a history were not made alike.
    #[error("report on {report:?} has the {what} {found}, expected {expected} as in the report on {first:?}")]
    UnlikeReports {
        /// The name of the current side of the report that differs.
        report: String,
        /// In what it differs.
        what: &'static str,
        /// What it has.
        found: String,
        /// The name of the current side of the first report.
        first: String,
        /// What that one has.
        expected: String,
    },
}
