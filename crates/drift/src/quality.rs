//! What stands out in a table by itself: columns without values or with hardly more than one, columns that say the same,
//! rows that repeat. No verdict depends on it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};

use serde::{Deserialize, Serialize};

use crate::column::{Column, MISSING, Values};
use crate::format::{count, list};
use crate::report::{ColumnReport, SideSummary};

/// A value that so large a share of the rows have makes a column almost constant, as Evidently has it.
pub const ALMOST_CONSTANT_SHARE: f64 = 0.95;
/// Columns named; more are only counted.
const NAMED: usize = 5;

/// What stands out in both tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// In the reference.
    pub reference: TableQuality,
    /// In the current table.
    pub current: TableQuality,
}

/// What stands out in one table. Columns are in input order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableQuality {
    /// Columns without a value.
    pub empty_columns: Vec<String>,
    /// Columns with one value, beside missing ones.
    pub constant_columns: Vec<String>,
    /// Columns of more values, one of which at least [`ALMOST_CONSTANT_SHARE`] of the present rows have.
    pub almost_constant_columns: Vec<String>,
    /// Groups of columns that are equal in every row, and rows that repeat.
    #[serde(flatten)]
    pub rows: RowFacts,
}

/// What is seen only where the cells of a row are seen together; none where they were not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFacts {
    /// Groups of two or more columns that are equal in every row.
    pub duplicated_columns: Option<Vec<Vec<String>>>,
    /// Rows that equal an earlier one in every column.
    pub duplicated_rows: Option<u64>,
}

impl TableQuality {
    /// What the reports of the columns say of one side.
    pub(crate) fn of(
        columns: &[ColumnReport],
        side: fn(&ColumnReport) -> Option<&SideSummary>,
        rows: RowFacts,
    ) -> Self {
        let mut quality = Self { rows, ..Self::default() };
        for column in columns {
            let Some(summary) = side(column) else { continue };
            let names = match (summary.missing == summary.rows, summary.distinct, summary.top_share) {
                (true, ..) => &mut quality.empty_columns,
                (_, Some(1), _) => &mut quality.constant_columns,
                (_, _, Some(share)) if share >= ALMOST_CONSTANT_SHARE => &mut quality.almost_constant_columns,
                _ => continue,
            };
            names.push(column.name.clone());
        }
        quality
    }

    /// What stands out, a few words each.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (names, what) in [
            (&self.empty_columns, "empty"),
            (&self.constant_columns, "constant"),
            (&self.almost_constant_columns, "almost constant (one value in 95 % of the rows)"),
        ] {
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                found.push(format!("{what}: {}", list(&names, NAMED)));
            }
        }
        for group in self.rows.duplicated_columns.iter().flatten() {
            let names: Vec<&str> = group.iter().map(String::as_str).collect();
            found.push(format!("equal in every row: {}", list(&names, NAMED)));
        }
        if let Some(rows) = self.rows.duplicated_rows.filter(|rows| *rows > 0) {
            found.push(format!("{} that repeat an earlier one", count(rows, "row")));
        }
        found
    }
}

impl RowFacts {
    /// Looks at columns whose values stand row by row; columns that were only counted leave the facts unknown. Equal
    /// means equal in type and value, by a hash of 64 bits.
    #[must_use]
    pub fn of(columns: &[Column]) -> Self {
        let rows = columns.first().map_or(0, Column::rows);
        if columns.iter().any(|column| matches!(column.values, Values::Counted(_)) || column.rows() != rows) {
            return Self::default();
        }
        let mut of_rows = vec![0_u64; rows];
        let mut of_columns: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (place, column) in columns.iter().enumerate() {
            let salt = mix(place as u64);
            let mut of_column = 0_u64;
            for (row, hash) in hashes(column).into_iter().enumerate() {
                of_rows[row] = of_rows[row].wrapping_add(mix(hash ^ salt));
                of_column = of_column.wrapping_add(mix(hash ^ mix(row as u64)));
            }
            if column.present() > 0 {
                of_columns.entry(of_column).or_default().push(column.name.clone());
            }
        }
        of_rows.sort_unstable();
        let repeated = of_rows.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        let mut groups: Vec<Vec<String>> = of_columns.into_values().filter(|names| names.len() > 1).collect();
        groups.sort_unstable();
        Self { duplicated_columns: Some(groups), duplicated_rows: Some(repeated) }
    }
}

/// A hash of each row's value; none where the values were only counted.
fn hashes(column: &Column) -> Vec<u64> {
    const ABSENT: u64 = 0x6d69_7373_696e_6700;
    let number = |kind: u64, bits: u64| mix(bits ^ mix(kind));
    match &column.values {
        Values::Float(values) => {
            let hash = |value: &f64| if value.is_nan() { ABSENT } else { number(1, (value + 0.0).to_bits()) };
            values.iter().map(hash).collect()
        }
        Values::Integer(values) => {
            let hash = |value: &Option<i64>| value.map_or(ABSENT, |value| number(2, value.cast_unsigned()));
            values.iter().map(hash).collect()
        }
        Values::Boolean(values) => {
            let hash = |value: &Option<bool>| value.map_or(ABSENT, |value| number(3, u64::from(value)));
            values.iter().map(hash).collect()
        }
        Values::Date(values) => {
            let hash =
                |value: &Option<i32>| value.map_or(ABSENT, |day| number(4, u64::from(day.cast_unsigned())));
            values.iter().map(hash).collect()
        }
        Values::Text { codes, levels } => {
            let levels: Vec<u64> = levels.iter().map(|level| text_hash(level)).collect();
            let hash = |code: &u32| if *code == MISSING { ABSENT } else { levels[*code as usize] };
            codes.iter().map(hash).collect()
        }
        Values::Counted(_) => Vec::new(),
    }
}

fn text_hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): every bit of the result depends
/// on every bit of the argument.
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriftSettings, compare};

    fn number(name: &str, values: &[f64]) -> Column {
        Column::float(name, values.to_vec())
    }

    #[test]
    fn repeated_rows_and_equal_columns_are_found() {
        let table = [
            number("a", &[1.0, 2.0, 1.0, f64::NAN, f64::NAN]),
            Column::text("b", &[Some("x"), Some("y"), Some("x"), None, None]),
            number("c", &[1.0, 2.0, 1.0, f64::NAN, f64::NAN]),
            Column::integer("d", vec![Some(1), Some(2), Some(1), None, None]),
        ];
        let facts = RowFacts::of(&table);
        assert_eq!(facts.duplicated_rows, Some(2));
        assert_eq!(facts.duplicated_columns, Some(vec![vec!["a".to_owned(), "c".to_owned()]]));
        // The same values in other rows are no equal columns.
        let turned = [number("a", &[1.0, 2.0]), number("b", &[2.0, 1.0])];
        assert_eq!(RowFacts::of(&turned).duplicated_columns, Some(Vec::new()));
        assert_eq!(RowFacts::of(&[Column::counted_booleans("a", 0, [1, 2])]), RowFacts::default());
    }

    #[test]
    fn a_report_says_what_stands_out() {
        let mut rare = vec![0.0; 99];
        rare.push(7.0);
        let table = [
            number("constant", &[4.0; 100]),
            number("empty", &[f64::NAN; 100]),
            number("rare", &rare),
            number("fine", &(0..100).map(f64::from).collect::<Vec<_>>()),
        ];
        let report = compare(&table, &table, &DriftSettings::default()).unwrap();
        let quality = report.quality.unwrap();
        assert_eq!(
            quality.reference.findings(),
            [
                "empty: \"empty\"",
                "constant: \"constant\"",
                "almost constant (one value in 95 % of the rows): \"rare\""
            ]
        );
        assert_eq!(quality.current, quality.reference);
        assert_eq!(quality.current.rows.duplicated_rows, Some(0));
    }
}
