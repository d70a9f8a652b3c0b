//! Columns that were counted where they were read, exact whatever their size.

use streamflow_stats::Sample;

use super::column::add_up;
use super::{ColumnProfile, Counted};
use crate::column::{Column, Kind, Values};
use crate::error::Error;

/// Values come in any order, and equal ones may come more than once; `missing` rows have none.
impl Column {
    /// Decimal numbers: some counted, the others a row each. NaN is missing too.
    ///
    /// # Errors
    /// [`Error::TooManyRows`] beyond 2^53 rows.
    pub fn counted_floats(
        name: impl Into<String>,
        missing: u64,
        counts: Vec<(f64, u64)>,
        mut rows: Vec<f64>,
    ) -> Result<Self, Error> {
        let given = rows.len() as u64 + counts.iter().map(|(_, n)| n).sum::<u64>();
        let infinite = rows.iter().filter(|value| value.is_infinite()).count() as u64
            + counts.iter().filter(|(value, _)| value.is_infinite()).map(|(_, n)| n).sum::<u64>();
        rows.retain(|value| value.is_finite());
        let name = name.into();
        let too_many = |_| Error::TooManyRows { name: name.clone(), limit: Sample::MAX_ROWS };
        let counts = counts.into_iter().filter(|(value, _)| value.is_finite());
        let mut sample = Sample::from_counts(counts).map_err(too_many)?;
        if !rows.is_empty() {
            let single = Sample::new(rows).map_err(too_many)?;
            sample = if sample.is_empty() { single } else { sample.merge(&single).map_err(too_many)? };
        }
        let missing = missing + given - infinite - sample.len();
        Ok(Self::counted(name, Kind::Float, missing, infinite, Counted::Exact(sample)))
    }

    /// Whole numbers: some counted, the others a row each.
    #[must_use]
    pub fn counted_integers(
        name: impl Into<String>,
        missing: u64,
        mut counts: Vec<(i64, u64)>,
        rows: Vec<i64>,
    ) -> Self {
        counts.extend(rows.into_iter().map(|value| (value, 1)));
        let values = Counted::WholeNumbers(add_up(counts, i64::cmp));
        Self::counted(name.into(), Kind::Integer, missing, 0, values)
    }

    /// Truth values: how many are false and how many true.
    #[must_use]
    pub fn counted_booleans(name: impl Into<String>, missing: u64, counts: [u64; 2]) -> Self {
        Self::counted(name.into(), Kind::Boolean, missing, 0, Counted::Truths(counts))
    }

    /// Strings.
    #[must_use]
    pub fn counted_text(name: impl Into<String>, missing: u64, counts: Vec<(String, u64)>) -> Self {
        Self::counted(name.into(), Kind::Text, missing, 0, Counted::Labels(add_up(counts, String::cmp)))
    }

    /// Dates, of which only the number is known: they are listed, not tested.
    #[must_use]
    pub fn counted_dates(name: impl Into<String>, missing: u64, present: u64) -> Self {
        let mut column = Self::counted(name.into(), Kind::Date, missing, 0, Counted::NotKept);
        if let Values::Counted(profile) = &mut column.values {
            profile.rows = missing + present;
        }
        column
    }

    fn counted(name: String, kind: Kind, missing: u64, infinite: u64, values: Counted) -> Self {
        let rows = missing + infinite + values.total().unwrap_or(0);
        Self { name, values: Values::Counted(ColumnProfile { kind, rows, missing, infinite, values }) }
    }
}
