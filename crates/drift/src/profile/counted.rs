//! Columns that were counted where they were read, exact whatever their size.

use streamflow_stats::Sample;

use super::column::add_up;
use super::rounding::{ALL_BITS, fit, round_toward_zero};
use super::{ColumnProfile, Counted, MAX_DISTINCT};
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

    /// Numbers that were counted after they had been rounded toward zero to `bits` mantissa bits; `whole` where they were
    /// whole ones before. NaN is missing too. They are a profile's column: rounded on until [`MAX_DISTINCT`] are left.
    ///
    /// # Errors
    /// [`Error::TooManyRows`] beyond 2^53 rows.
    pub fn rounded_numbers(
        name: impl Into<String>,
        missing: u64,
        whole: bool,
        bits: u32,
        counts: Vec<(f64, u64)>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let sum = |counts: &[(f64, u64)], is_meant: fn(f64) -> bool| {
            counts
                .iter()
                .filter(|(value, _)| is_meant(*value))
                .fold(0_u64, |sum, (_, n)| sum.saturating_add(*n))
        };
        let (infinite, nan) = (sum(&counts, f64::is_infinite), sum(&counts, f64::is_nan));
        if sum(&counts, |_| true).saturating_add(missing) > Sample::MAX_ROWS {
            return Err(Error::TooManyRows { name, limit: Sample::MAX_ROWS });
        }
        let bits = bits.min(ALL_BITS);
        // Adding zero makes negative zero the same value.
        let finite = counts.into_iter().filter(|(value, n)| value.is_finite() && *n > 0);
        let rounded = finite.map(|(value, n)| (round_toward_zero(value + 0.0, bits), n)).collect();
        let (bits, counts) = fit(add_up(rounded, f64::total_cmp), bits, MAX_DISTINCT);
        let kind = if whole { Kind::Integer } else { Kind::Float };
        Ok(Self::counted(name, kind, missing + nan, infinite, Counted::Numbers { bits, counts }))
    }

    /// Strings that are too many or too long to keep, of which only the number is known.
    #[must_use]
    pub fn uncounted_text(name: impl Into<String>, missing: u64, present: u64) -> Self {
        Self::uncounted(name.into(), Kind::Text, missing, present)
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
        Self::uncounted(name.into(), Kind::Date, missing, present)
    }

    fn uncounted(name: String, kind: Kind, missing: u64, present: u64) -> Self {
        let mut column = Self::counted(name, kind, missing, 0, Counted::NotKept);
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
