//! Columns of the dataset as the model crate takes them.

use anyhow::{Context as _, bail};
use streamflow_dataset::{Column, EntityKey, Frame, Label, Values};
use streamflow_model::{FeatureColumn, Features, Labels};

use super::labels::labels;

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
