//! Columns of the dataset as the drift and model crates take them.

use anyhow::{Context as _, bail};
use streamflow_dataset::{Column, Counts, EntityKey, Frame, Label, RowFacts, ValueCounts, Values};
use streamflow_drift as drift;
use streamflow_model::{FeatureColumn, Features, Labels};

use super::labels::labels;

/// Compares two tables, their rows as a whole too.
pub fn compare_frames(
    reference: Frame,
    current: Frame,
    settings: drift::DriftSettings,
) -> anyhow::Result<drift::Report> {
    let facts = [&reference, &current].map(|frame| row_facts(&RowFacts::of(frame)));
    let mut comparison = drift::Comparison::new(settings);
    comparison.columns(&drift_columns(reference), &drift_columns(current))?;
    let [reference, current] = facts;
    comparison.rows(reference, current);
    Ok(comparison.finish()?)
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
pub fn drift_column(column: Column) -> drift::Column {
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
pub fn counted_column(
    column: ValueCounts,
    declared: Option<drift::ColumnType>,
) -> anyhow::Result<drift::Column> {
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

/// What a model learns from: the configured columns of a point-in-time table, row by row aligned.
pub struct TrainingTable {
    pub features: Features,
    pub labels: Labels,
    pub entities: Vec<String>,
}

impl TrainingTable {
    /// # Errors
    /// A feature that is a date; a label that its task does not take.
    pub fn new(mut frame: Frame, key: &EntityKey, label: &Label) -> anyhow::Result<Self> {
        let place = frame.columns.iter().position(|column| column.name == label.column);
        let place = place.with_context(|| format!("the table has no column {}", label.column))?;
        let labels = labels(frame.columns.remove(place), label)?;
        let entities = entity_ids(&frame, key)?;
        let features = frame.columns.into_iter().filter(|column| !key.has(&column.name));
        let features = features.map(feature).collect::<anyhow::Result<_>>()?;
        Ok(Self { features: Features::new(features)?, labels, entities })
    }

    /// The rows of several months, one after another.
    ///
    /// # Errors
    /// No month; months whose columns are of different kinds.
    pub fn concat(mut tables: Vec<Self>) -> anyhow::Result<Self> {
        if tables.len() < 2 {
            return tables.pop().context("there is no month to learn from");
        }
        let entities = tables.iter_mut().flat_map(|table| std::mem::take(&mut table.entities)).collect();
        let (features, labels): (Vec<_>, Vec<_>) =
            tables.into_iter().map(|table| (table.features, table.labels)).unzip();
        let labels = Labels::concat(&labels).context("the months have labels of different tasks")?;
        Ok(Self { features: Features::concat(&features)?, labels, entities })
    }
}

/// The entity of every row, as text.
pub fn entity_ids(frame: &Frame, key: &EntityKey) -> anyhow::Result<Vec<String>> {
    Ok((0..frame.rows).map(|row| key.text_of_row(frame, row)).collect::<Result<_, _>>()?)
}

fn feature(column: Column) -> anyhow::Result<(String, FeatureColumn)> {
    let feature = match column.values {
        Values::Float(values) => FeatureColumn::Numerical(values),
        Values::Integer(values) => FeatureColumn::Numerical(
            values.iter().map(|value| value.map_or(f64::NAN, |v| v as f64)).collect(),
        ),
        Values::Boolean(values) => FeatureColumn::Categorical {
            codes: values.iter().map(|value| value.map_or(streamflow_model::MISSING, u32::from)).collect(),
            levels: vec!["false".into(), "true".into()],
        },
        Values::Text { codes, levels } => FeatureColumn::Categorical { codes, levels },
        Values::Date(_) => bail!(
            "feature {} is a date; remove it from dataset.features or store a number made of it, such as days since",
            column.name
        ),
    };
    Ok((column.name, feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: Values) -> Column {
        Column { name: name.into(), values }
    }

    fn label(column: &str) -> Label {
        toml::from_str(&format!("table = \"labels\"\ncolumn = {column:?}")).unwrap()
    }

    #[test]
    fn missing_stays_missing() {
        let frame = Frame {
            rows: 2,
            columns: vec![
                column("id", Values::Integer(vec![Some(7), Some(8)])),
                column("tv", Values::Boolean(vec![None, Some(true)])),
                column("skips", Values::Integer(vec![Some(3), None])),
                column("churned", Values::Integer(vec![Some(1), None])),
            ],
        };
        let table = TrainingTable::new(frame, &EntityKey::new("id"), &label("churned")).unwrap();
        assert_eq!(table.entities, ["7", "8"]);
        assert_eq!(table.labels, Labels::Binary(vec![Some(true), None]));
        let codes = vec![streamflow_model::MISSING, 1];
        let levels = vec!["false".to_owned(), "true".to_owned()];
        assert_eq!(table.features.column("tv"), Some(&FeatureColumn::Categorical { codes, levels }));
        let Some(FeatureColumn::Numerical(skips)) = table.features.column("skips") else { panic!() };
        assert!(skips[0] == 3.0 && skips[1].is_nan());
    }

    #[test]
    fn what_is_no_feature_is_named() {
        let id = column("id", Values::Integer(vec![Some(1)]));
        let date = column("x", Values::Date(vec![Some(1)]));
        let truth = column("y", Values::Boolean(vec![Some(true)]));
        for (columns, expected) in
            [(vec![id.clone(), date, truth], "feature x is a date"), (vec![id], "the table has no column y")]
        {
            let frame = Frame { rows: 1, columns };
            let error =
                TrainingTable::new(frame, &EntityKey::new("id"), &label("y")).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
