//! Columns of a file that are not compared, and why.

use std::fmt;

/// A column of a file that [`TableFile::names`](crate::TableFile::names) leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The column.
    pub name: String,
    /// Why it is left out.
    pub reason: Reason,
}

/// Why a column is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its values have no place in a flat table; the type found.
    Type(String),
    /// It numbers or names the rows, as the index of a pandas data frame does.
    Index,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Type(found) => write!(f, "the type {found} is not compared"),
            Reason::Index => f.write_str("the index of the rows, not a feature"),
        }
    }
}
