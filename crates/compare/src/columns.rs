//! Columns of the dataset as the drift crate takes them.

use streamflow_dataset::{Column, Counts, Frame, RowFacts, ValueCounts, Values};
use streamflow_drift as drift;

/// Compares two tables in memory, their rows as a whole too.
///
/// # Errors
/// As [`drift::Comparison`].
pub fn compare_frames(
    reference: Frame,
    current: Frame,
    settings: drift::DriftSettings,
) -> Result<drift::Report, drift::Error> {
    let facts = [&reference, &current].map(|frame| row_facts(&RowFacts::of(frame)));
    let mut comparison = drift::Comparison::new(settings);
    comparison.columns(&drift_columns(reference), &drift_columns(current))?;
    let [reference, current] = facts;
    comparison.rows(reference, current);
    comparison.finish()
}

/// What the rows of a table say together, for a report.
pub fn row_facts(facts: &RowFacts) -> drift::RowFacts {
    drift::RowFacts {
        duplicated_columns: Some(facts.duplicated_columns.clone()),
        duplicated_rows: facts.duplicated_rows,
    }
}

/// All columns of a table for a comparison. Moves the values.
pub fn drift_columns(frame: Frame) -> Vec<drift::Column> {
    frame.columns.into_iter().map(drift_column).collect()
}

/// One column for a comparison. Moves the values.
fn drift_column(column: Column) -> drift::Column {
    let values = match column.values {
        Values::Float(values) => drift::Values::Float(values),
        Values::Integer(values) => drift::Values::Integer(values),
        Values::Boolean(values) => drift::Values::Boolean(values),
        Values::Text { codes, levels } => drift::Values::Text { codes, levels },
        Values::Date(values) => drift::Values::Date(values),
    };
    drift::Column { name: column.name, values }
}

/// A column of a file for a comparison. Moves the values, and sorts numbers. Dates are listed and not tested, unless they
/// are declared to be categories or text: then they are what they look like.
///
/// # Errors
/// As [`drift::Column::counted_floats`].
pub fn counted_column(
    column: ValueCounts,
    declared: Option<drift::ColumnType>,
) -> Result<drift::Column, drift::Error> {
    let rows = column.rows();
    let ValueCounts { name, missing, unparseable, values } = column;
    let missing = missing + unparseable.cells;
    Ok(match values {
        Counts::Float(numbers) => drift::Column::counted_floats(name, missing, numbers.counts, numbers.rows)?,
        Counts::Integer(numbers) => {
            drift::Column::counted_integers(name, missing, numbers.counts, numbers.rows)
        }
        Counts::Boolean(counts) => drift::Column::counted_booleans(name, missing, counts),
        Counts::Text(counts) => drift::Column::counted_text(name, missing, counts),
        Counts::Date(days)
            if matches!(declared, Some(drift::ColumnType::Categorical | drift::ColumnType::Text)) =>
        {
            let day = |(day, rows): (i32, u64)| (date_text(day), rows);
            drift::Column::counted_text(name, missing, days.into_iter().map(day).collect())
        }
        Counts::Date(_) => drift::Column::counted_dates(name, missing, rows - missing),
    })
}

/// `YYYY-MM-DD` of a day since 1970-01-01.
fn date_text(day: i32) -> String {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day));
    date.map_or_else(|_| day.to_string(), |date| date.to_string())
}
