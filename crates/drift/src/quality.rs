//! What stands out in a table by itself: columns without values or with hardly more than one, columns that say the same,
//! rows that repeat. No verdict depends on it.

use serde::{Deserialize, Serialize};

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

/// What is seen only where the cells of a row are seen together, which is where tables are read; none where they were not.
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
            let repeat = if rows == 1 { "repeats" } else { "repeat" };
            found.push(format!("{} that {repeat} an earlier one", count(rows, "row")));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::RowFacts;
    use crate::{Column, Comparison, DriftSettings};

    fn number(name: &str, values: &[f64]) -> Column {
        Column::float(name, values.to_vec())
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
        let mut comparison = Comparison::new(DriftSettings::default());
        comparison.columns(&table, &table).unwrap();
        let groups = Some(vec![vec!["fine".to_owned(), "rare".to_owned()]]);
        let facts = RowFacts { duplicated_columns: groups, duplicated_rows: Some(1) };
        comparison.rows(facts.clone(), facts);
        let report = comparison.finish().unwrap();
        let quality = report.quality.unwrap();
        assert_eq!(
            quality.reference.findings(),
            [
                "empty: \"empty\"",
                "constant: \"constant\"",
                "almost constant (one value in 95 % of the rows): \"rare\"",
                "equal in every row: \"fine\", \"rare\"",
                "1 row that repeats an earlier one"
            ]
        );
        assert_eq!(quality.current, quality.reference);
    }
}
