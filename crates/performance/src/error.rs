//! Everything this crate can refuse.

/// Why a performance could not be measured or estimated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two columns of one table have different lengths.
    #[error("{what} have {given} rows and {others} have {expected}; pass one value for each row")]
    Unaligned {
        /// The column that differs.
        what: &'static str,
        /// Its rows.
        given: usize,
        /// The column it was held against.
        others: &'static str,
        /// The rows of that one.
        expected: usize,
    },
    /// A score is no probability.
    #[error(
        "row {row} has the {what} {value}, expected a probability from 0 to 1, or NaN where there is none: \
         scale scores before they are measured"
    )]
    NotAProbability {
        /// `score`, or the name of another probability.
        what: &'static str,
        /// Row, counted from 0.
        row: usize,
        /// The value met.
        value: f64,
    },
    /// A number that must be finite is not.
    #[error("row {row} has the {what} {value}, expected a finite number: leave the row out or mend it")]
    NotFinite {
        /// What the number is.
        what: &'static str,
        /// Row, counted from 0.
        row: usize,
        /// The value met.
        value: f64,
    },
    /// A chunk names a row that the table does not have.
    #[error("row {row} was asked for, but the table has {rows} rows: make the chunks from the same table")]
    NoSuchRow {
        /// The row asked for, counted from 0.
        row: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A setting is outside its range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value met.
        value: f64,
        /// What is accepted, in words.
        expected: &'static str,
    },
    /// A class that the probabilities do not have.
    #[error("row {row} has the class {class}, but there are probabilities for {classes} classes only")]
    UnknownClass {
        /// Row, counted from 0.
        row: usize,
        /// The class met.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A code that names no level.
    #[error(
        "column {column:?} has the code {code} at row {row}, but only {levels} levels; use MISSING where there is \
         no value"
    )]
    UnknownLevel {
        /// The column.
        column: String,
        /// Row, counted from 0.
        row: usize,
        /// The code met.
        code: u32,
        /// Number of levels.
        levels: usize,
    },
}

/// Refuses a column whose length is not that of `others`.
pub(crate) fn aligned(
    (what, given): (&'static str, usize),
    (others, expected): (&'static str, usize),
) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(Error::Unaligned { what, given, others, expected }) }
}

/// Refuses a value that is neither a probability nor missing.
pub(crate) fn probabilities(what: &'static str, values: &[f64]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_nan() && !(0.0..=1.0).contains(value)) {
        Some(row) => Err(Error::NotAProbability { what, row, value: values[row] }),
        None => Ok(()),
    }
}
