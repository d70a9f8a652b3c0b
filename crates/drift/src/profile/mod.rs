//! A table as counts of its values: small, and the profiles of parts merge to the profile of the whole.
//!
//! Up to [`MAX_DISTINCT`] different values a column is held exactly, and comparing its profile is comparing its rows.
//! Beyond, numbers are rounded to a grid that does not depend on the data (see `rounding`) and strings are not kept.
//! A profile is a table for [`crate::compare`]: [`TableProfile::into_columns`] gives it columns whose values are
//! counted, on either side or on both.
//!
//! ```
//! use streamflow_drift::{Column, DriftSettings, TableProfile, compare};
//!
//! let hours = |from: i32| vec![Column::float("hours", (from..from + 300).map(f64::from).collect())];
//! let january = TableProfile::of(&hours(0))?.merge(TableProfile::of(&hours(300))?)?;
//! let january = TableProfile::from_json(&january.to_json())?;
//!
//! let report = compare(&january.into_columns(), &hours(400), &DriftSettings::default())?;
//! assert_eq!(report.reference.rows, 600);
//! assert_eq!(report.drifted_columns, 1);
//! # Ok::<(), streamflow_drift::Error>(())
//! ```

mod column;
mod counted;
mod json;
pub(crate) mod rounding;
mod sql;

pub use column::ColumnProfile;
pub(crate) use column::Counted;
pub use sql::{COUNTS_LIMIT, ColumnQueries, SQL_BITS, SqlDialect, totals};

use crate::column::{Column, Values};
use crate::error::Error;

/// Different values of a column that a profile holds.
pub const MAX_DISTINCT: usize = 10_000;
/// Bytes of all different strings of a column that a profile holds.
pub const MAX_LABEL_BYTES: usize = 1_000_000;

/// Counts of the values of every column, in the order of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableProfile {
    columns: Vec<(String, ColumnProfile)>,
}

impl TableProfile {
    /// The profile of a table.
    ///
    /// # Errors
    /// As [`TableProfile::add`].
    pub fn of(columns: &[Column]) -> Result<Self, Error> {
        let mut profile = Self::default();
        for column in columns {
            profile.add(column)?;
        }
        Ok(profile)
    }

    /// Adds a column of the same rows, so that only one column need be in memory.
    ///
    /// # Errors
    /// A name that was there before, another number of rows, a text code past its levels.
    pub fn add(&mut self, column: &Column) -> Result<(), Error> {
        column.validate()?;
        let (name, side) = (column.name.clone(), "the profile".to_owned());
        if self.columns.iter().any(|(there, _)| *there == name) {
            return Err(Error::DuplicateColumn { name, side });
        }
        if let Some((_, first)) = self.columns.first().filter(|(_, first)| first.rows() != column.rows()) {
            return Err(Error::UnequalRows { name, side, rows: column.rows(), expected: first.rows() });
        }
        self.columns.push((name, ColumnProfile::of(column)));
        Ok(())
    }

    /// The profile of both tables' rows: the same bytes whichever comes first and however the rows were divided.
    ///
    /// Whole numbers merge with decimal ones, and a column without any value with every other.
    ///
    /// # Errors
    /// [`Error::Merge`] naming the first column that is missing, elsewhere, of another kind or has too many rows.
    pub fn merge(self, other: Self) -> Result<Self, Error> {
        let (len, other_len) = (self.columns.len(), other.columns.len());
        let surplus = if len > other_len { self.columns.get(other_len) } else { other.columns.get(len) };
        let surplus = surplus.map(|(name, _)| name.clone());
        let mut columns = Vec::with_capacity(len);
        for ((name, left), (other_name, right)) in self.columns.into_iter().zip(other.columns) {
            if name != other_name {
                let reason = format!("the other profile has {other_name:?} in its place");
                return Err(Error::Merge { name, reason });
            }
            match left.merge(right) {
                Ok(column) => columns.push((name, column)),
                Err(reason) => return Err(Error::Merge { name, reason }),
            }
        }
        match surplus {
            Some(name) => Err(Error::Merge { name, reason: "only one of the profiles has it".into() }),
            None => Ok(Self { columns }),
        }
    }

    /// Rows, the same in every column; 0 without columns.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.rows())
    }

    /// The columns' names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// What [`crate::compare`] takes.
    #[must_use]
    pub fn into_columns(self) -> Vec<Column> {
        let column = |(name, profile)| Column { name, values: Values::Counted(profile) };
        self.columns.into_iter().map(column).collect()
    }
}
