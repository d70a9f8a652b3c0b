//! The label of the dataset as the model crate takes it.

use anyhow::bail;
use streamflow_dataset::{Column, Label, LabelTask, Values};
use streamflow_model::{Labels, MISSING, Task};

/// The task of the model crate that a label is for.
pub fn task_of(label: &Label) -> Task {
    match label.task {
        LabelTask::Binary => Task::Binary,
        LabelTask::Multiclass => Task::Multiclass,
        LabelTask::Regression => Task::Regression,
    }
}

/// The values of a label column as its task has them.
///
/// # Errors
/// A value that the task does not take: months may have been ingested under another configuration.
pub fn labels(column: Column, label: &Label) -> anyhow::Result<Labels> {
    match label.task {
        LabelTask::Binary => Ok(Labels::Binary(truths(column, label)?)),
        LabelTask::Multiclass => classes(&column, label),
        LabelTask::Regression => numbers(column),
    }
}

fn truths(column: Column, label: &Label) -> anyhow::Result<Vec<Option<bool>>> {
    if let Some(positive) = &label.positive {
        return two_values(&column, &positive.name());
    }
    match column.values {
        Values::Boolean(values) => Ok(values),
        Values::Integer(values) => values
            .into_iter()
            .map(|value| match value {
                None => Ok(None),
                Some(0) => Ok(Some(false)),
                Some(1) => Ok(Some(true)),
                Some(other) => {
                    bail!("label {} is {other} in a row; expected 0, 1, true or false", column.name)
                }
            })
            .collect(),
        _ => bail!(
            "label {} is neither boolean nor an integer of 0 and 1; change its type in dataset.tables, or name the value that counts as true as dataset.label.positive",
            column.name
        ),
    }
}

/// True where the value is `positive`; there may be one other value.
fn two_values(column: &Column, positive: &str) -> anyhow::Result<Vec<Option<bool>>> {
    let mut negative: Option<String> = None;
    let truth = |row: usize| {
        let Some(value) = column.values.text(row) else { return Ok(None) };
        if value == positive {
            return Ok(Some(true));
        }
        match &negative {
            Some(known) if *known != value => bail!(
                "label {} is {value:?} in a row, a third value beside {positive:?} and {known:?}; set dataset.label.task = \"multiclass\" for more than two",
                column.name
            ),
            Some(_) => {}
            None => negative = Some(value),
        }
        Ok(Some(false))
    };
    (0..column.values.len()).map(truth).collect()
}

/// Codes of the declared classes, or of those that are found: numbers by size, others by name.
fn classes(column: &Column, label: &Label) -> anyhow::Result<Labels> {
    let mut classes = label.class_names();
    let is_declared = !classes.is_empty();
    let names: Vec<Option<String>> = (0..column.values.len()).map(|row| column.values.text(row)).collect();
    if !is_declared {
        classes =
            names.iter().flatten().cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        if matches!(column.values, Values::Integer(_) | Values::Float(_)) {
            let number = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
            classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
    }
    let places: std::collections::HashMap<&str, u32> =
        classes.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
    let code = |name: &Option<String>| match name {
        None => Ok(MISSING),
        Some(name) => match places.get(name.as_str()) {
            Some(place) => Ok(*place),
            None => bail!(
                "label {} is {name:?} in a row, which is not one of dataset.label.classes ({})",
                column.name,
                classes.join(", ")
            ),
        },
    };
    let codes = names.iter().map(code).collect::<anyhow::Result<_>>()?;
    Ok(Labels::Multiclass { codes, classes })
}

fn numbers(column: Column) -> anyhow::Result<Labels> {
    let numbers = match column.values {
        Values::Float(values) => values,
        Values::Integer(values) => {
            values.into_iter().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect()
        }
        _ => bail!(
            "label {} holds no numbers, and dataset.label.task is \"regression\"; change its type in dataset.tables, or the task",
            column.name
        ),
    };
    if let Some(infinite) = numbers.iter().find(|number| number.is_infinite()) {
        bail!("label {} is {infinite} in a row; expected finite numbers", column.name);
    }
    Ok(Labels::Regression(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: Values) -> Column {
        Column { name: "y".into(), values }
    }

    fn label(toml: &str) -> Label {
        toml::from_str(&format!("table = \"labels\"\ncolumn = \"y\"\n{toml}")).unwrap()
    }

    fn text(values: &[&str]) -> Values {
        let levels: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        Values::Text { codes: (0..values.len() as u32).collect(), levels }
    }

    #[test]
    fn each_task_reads_its_values() {
        let read = |values: Values, toml: &str| labels(column(values), &label(toml)).unwrap();
        let truths = |labels: &[bool]| Labels::Binary(labels.iter().map(|label| Some(*label)).collect());
        assert_eq!(read(text(&["Yes", "No"]), "positive = \"Yes\""), truths(&[true, false]));
        assert_eq!(read(Values::Float(vec![2.0, 1.0]), "positive = 2"), truths(&[true, false]));
        let numbers = read(Values::Integer(vec![Some(3), None]), "task = \"regression\"");
        assert!(matches!(&numbers, Labels::Regression(found) if found[0] == 3.0 && found[1].is_nan()));
        let found = read(Values::Integer(vec![Some(10), Some(9), None]), "task = \"multiclass\"");
        let classes = vec!["9".to_owned(), "10".to_owned()];
        assert_eq!(found, Labels::Multiclass { codes: vec![1, 0, MISSING], classes });
        let declared = "task = \"multiclass\"\nclasses = [\"plus\", \"basic\", \"gold\"]";
        let found = read(text(&["basic", "plus"]), declared);
        assert!(
            matches!(&found, Labels::Multiclass { codes, classes } if codes == &[1, 0] && classes.len() == 3)
        );
    }

    #[test]
    fn values_of_another_task_are_named() {
        for (values, toml, expected) in [
            (Values::Integer(vec![Some(2)]), "", "label y is 2"),
            (Values::Float(vec![1.0]), "", "label y is neither boolean"),
            (text(&["a", "b", "c"]), "positive = \"a\"", "a third value beside \"a\" and \"b\""),
            (text(&["a"]), "task = \"regression\"", "label y holds no numbers"),
            (Values::Float(vec![f64::INFINITY]), "task = \"regression\"", "label y is inf in a row"),
            (text(&["c"]), "task = \"multiclass\"\nclasses = [\"a\", \"b\"]", "dataset.label.classes (a, b)"),
        ] {
            let error = labels(column(values), &label(toml)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn as_many_classes_are_ingested_as_are_learned() {
        assert_eq!(streamflow_dataset::MAX_CLASSES, streamflow_model::MAX_CLASSES);
    }
}
