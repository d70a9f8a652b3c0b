//! What is seen of a file only where the cells of a row are seen together: rows that repeat, columns that say the same.
//!
//! Equal means equal by a hash of 64 bits, of the text in CSV and of the values elsewhere.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef};
use rayon::slice::ParallelSliceMut as _;

use crate::cell::Cells;
use crate::format::csv::fields::Field;
use crate::snapshot::frame::{Frame, Values};

/// Of so many rows at most it is remembered which there were: 32 MiB of hashes.
const MOST_ROWS: usize = if cfg!(test) { 100 } else { 1 << 22 };

/// What the rows of a file say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowFacts {
    /// Groups of two or more columns that are equal in every row, by name.
    pub duplicated_columns: Vec<Vec<String>>,
    /// Rows that equal an earlier one in every column that is read; `None` beyond four million rows.
    pub duplicated_rows: Option<u64>,
}

impl RowFacts {
    /// Of a table in memory. Equal means equal in type and value.
    pub fn of(frame: &Frame) -> Self {
        let rows = SharedRows::new(frame.rows as u64);
        let columns = frame.columns.iter().enumerate().map(|(place, column)| {
            let hashes = hashes_of(&column.values);
            let is_empty = hashes.iter().all(|hash| *hash == ABSENT);
            (column, is_empty, see_hashes(hashes, place, 0, rows.as_ref()))
        });
        let columns: Vec<(String, u64)> = columns
            .filter(|(_, is_empty, _)| !is_empty)
            .map(|(column, _, hash)| (column.name.clone(), hash))
            .collect();
        RowFacts::new(rows.map(SharedRows::into_rows), columns.into_iter())
    }

    /// Of the hashes of rows, and of each column but for empty ones.
    pub(crate) fn new(rows: Option<Vec<u64>>, columns: impl Iterator<Item = (String, u64)>) -> Self {
        let duplicated_rows = rows.map(|mut rows| {
            rows.par_sort_unstable();
            rows.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
        });
        let mut groups: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (name, hash) in columns {
            groups.entry(hash).or_default().push(name);
        }
        let mut duplicated_columns: Vec<_> = groups.into_values().filter(|names| names.len() > 1).collect();
        duplicated_columns.sort_unstable();
        RowFacts { duplicated_columns, duplicated_rows }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): every bit of the result depends
/// on every bit of the argument.
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn text_hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What a thread has seen of the records of a CSV file.
pub(crate) struct RowTally {
    /// The hashes of the record that is being read; a column that is passed over has none.
    record: Vec<Option<u64>>,
    /// Sums over the records, by column.
    pub(crate) columns: Vec<u64>,
    /// `None` once they were too many.
    rows: Option<Vec<u64>>,
}

impl RowTally {
    /// For records of so many fields.
    pub(crate) fn new(width: usize) -> Self {
        RowTally { record: vec![None; width], columns: vec![0; width], rows: Some(Vec::new()) }
    }

    /// Sees a field; the last one of a record ends it. A column that is not looked at is passed over.
    #[inline]
    pub(crate) fn see(&mut self, column: usize, field: Field<'_>, is_looked_at: bool) {
        let hash = match field {
            Field::Short([low, high], _) => mix(low ^ mix(high)),
            Field::Long(text) => text_hash(text),
        };
        self.record[column] = is_looked_at.then_some(hash);
        if column + 1 == self.record.len() {
            self.end_record();
        }
    }

    fn end_record(&mut self) {
        let hashes = || self.record.iter().enumerate().filter_map(|(column, hash)| Some((column, (*hash)?)));
        let row =
            hashes().fold(0_u64, |row, (column, hash)| row.wrapping_add(mix(hash ^ mix(column as u64))));
        for (sum, hash) in self.columns.iter_mut().zip(&self.record) {
            // Beside the others of its record, so that the order of records does not matter.
            if let Some(hash) = hash {
                *sum = sum.wrapping_add(mix(hash ^ row));
            }
        }
        let Some(rows) = &mut self.rows else { return };
        if rows.len() < MOST_ROWS {
            rows.push(row);
        } else {
            self.rows = None;
        }
    }

    /// What both have seen together.
    pub(crate) fn merge(mut self, other: RowTally) -> RowTally {
        for (sum, more) in self.columns.iter_mut().zip(&other.columns) {
            *sum = sum.wrapping_add(*more);
        }
        self.rows = self.rows.zip(other.rows).and_then(|(mut rows, more)| {
            rows.extend(more);
            (rows.len() <= MOST_ROWS).then_some(rows)
        });
        self
    }

    /// The hashes of the rows, unless they were too many.
    pub(crate) fn into_rows(self) -> Option<Vec<u64>> {
        self.rows
    }
}

/// The hashes of the rows of a file that is read column by column, by several threads.
pub(crate) struct SharedRows(Vec<AtomicU64>);

impl SharedRows {
    /// For so many rows; `None` when they are too many.
    pub(crate) fn new(rows: u64) -> Option<Self> {
        let rows = usize::try_from(rows).ok().filter(|rows| *rows <= MOST_ROWS)?;
        Some(SharedRows((0..rows).map(|_| AtomicU64::new(0)).collect()))
    }

    fn add(&self, row: usize, hash: u64) {
        if let Some(sum) = self.0.get(row) {
            sum.fetch_add(hash, Ordering::Relaxed);
        }
    }

    pub(crate) fn into_rows(self) -> Vec<u64> {
        self.0.into_iter().map(AtomicU64::into_inner).collect()
    }
}

/// Sees the values of a column from the row `first` on; the sum over them.
pub(crate) fn see_array(array: &ArrayRef, column: usize, first: usize, rows: Option<&SharedRows>) -> u64 {
    see_hashes(hashes(array), column, first, rows)
}

fn see_hashes(hashes: Vec<u64>, column: usize, first: usize, rows: Option<&SharedRows>) -> u64 {
    let salt = mix(column as u64);
    let mut sum = 0_u64;
    for (place, hash) in hashes.into_iter().enumerate() {
        sum = sum.wrapping_add(mix(hash ^ mix((first + place) as u64)));
        if let Some(rows) = rows {
            rows.add(first + place, mix(hash ^ salt));
        }
    }
    sum
}

/// The hash of a missing value.
const ABSENT: u64 = 0x6d69_7373_696e_6700;

fn float_hash(value: f64) -> u64 {
    // Adding zero makes negative zero the same value.
    if value.is_nan() { ABSENT } else { typed_hash(1, (value + 0.0).to_bits()) }
}

fn integer_hash(value: i64) -> u64 {
    typed_hash(2, value.cast_unsigned())
}

fn boolean_hash(value: bool) -> u64 {
    typed_hash(3, u64::from(value))
}

fn date_hash(day: i32) -> u64 {
    typed_hash(4, u64::from(day.cast_unsigned()))
}

/// Of types that are compared alone, as whole numbers and floats are not the same column.
fn typed_hash(kind: u64, bits: u64) -> u64 {
    mix(bits ^ mix(kind))
}

/// A hash of each value of an array.
fn hashes(array: &ArrayRef) -> Vec<u64> {
    fn of<T>(values: impl Iterator<Item = Option<T>>, hash: fn(T) -> u64) -> Vec<u64> {
        values.map(|value| value.map_or(ABSENT, hash)).collect()
    }
    match Cells::new(array) {
        Some(Cells::Float(values)) => of(values.iter(), float_hash),
        Some(Cells::Integer(values)) => of(values.iter(), integer_hash),
        Some(Cells::Boolean(values)) => of(values.iter(), boolean_hash),
        Some(Cells::Text(values)) => of(values.iter(), text_hash),
        Some(Cells::Date(values)) => of(values.iter(), date_hash),
        None => vec![ABSENT; array.len()],
    }
}

/// The same of the values of a column in memory.
fn hashes_of(values: &Values) -> Vec<u64> {
    fn of<T: Copy>(values: &[Option<T>], hash: fn(T) -> u64) -> Vec<u64> {
        values.iter().map(|value| value.map_or(ABSENT, hash)).collect()
    }
    match values {
        Values::Float(values) => values.iter().map(|value| float_hash(*value)).collect(),
        Values::Integer(values) => of(values, integer_hash),
        Values::Boolean(values) => of(values, boolean_hash),
        Values::Date(values) => of(values, date_hash),
        Values::Text { codes, levels } => {
            let levels: Vec<u64> = levels.iter().map(|level| text_hash(level)).collect();
            codes.iter().map(|code| levels.get(*code as usize).copied().unwrap_or(ABSENT)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::frame::{Column, MISSING};

    #[test]
    fn repeated_rows_and_equal_columns_of_a_frame_are_found() {
        let column = |name: &str, values: Values| Column { name: name.to_string(), values };
        let number = |name: &str, values: &[f64]| column(name, Values::Float(values.to_vec()));
        let frame = |columns: Vec<Column>, rows: usize| Frame { rows, columns };
        let whole = [Some(1), Some(2), Some(1), None, None];
        let levels = vec!["x".to_string(), "y".to_string()];
        let facts = RowFacts::of(&frame(
            vec![
                number("a", &[1.0, 2.0, 1.0, f64::NAN, f64::NAN]),
                column("b", Values::Text { codes: vec![0, 1, 0, MISSING, MISSING], levels }),
                number("c", &[1.0, 2.0, 1.0, f64::NAN, f64::NAN]),
                column("d", Values::Integer(whole.to_vec())),
                column("e", Values::Boolean(vec![None; 5])),
                column("f", Values::Date(vec![None; 5])),
            ],
            5,
        ));
        assert_eq!(facts.duplicated_rows, Some(2));
        assert_eq!(facts.duplicated_columns, [["a", "c"]]);
        // The same values in other rows are no equal columns.
        let turned = RowFacts::of(&frame(vec![number("a", &[1.0, 2.0]), number("b", &[2.0, 1.0])], 2));
        assert_eq!((turned.duplicated_rows, turned.duplicated_columns), (Some(0), Vec::new()));
    }
}
