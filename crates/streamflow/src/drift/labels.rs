//! The label of the dataset as the model crate takes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::bail;
use streamflow_dataset::{Column, Frame, Label, LabelTask, Values};
use streamflow_drift::{Report, TargetChange, TargetMeasure};
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

/// The table with its label as the task has it, for a comparison: truth values, classes as texts, or numbers.
///
/// # Errors
/// A value of the label that the task does not take.
pub fn with_label(mut frame: Frame, label: &Label) -> anyhow::Result<Frame> {
    // A boolean label is what it looks like, and so is one of numbers.
    let is_plain =
        label.task == LabelTask::Regression || (label.task == LabelTask::Binary && label.positive.is_none());
    let column = frame.columns.iter_mut().find(|column| column.name == label.column);
    let Some(column) = column.filter(|_| !is_plain) else { return Ok(frame) };
    let values = Column {
        name: column.name.clone(),
        values: std::mem::replace(&mut column.values, Values::Float(Vec::new())),
    };
    column.values = match labels(values, label)? {
        Labels::Binary(truths) => Values::Boolean(truths),
        Labels::Multiclass { codes, classes } => Values::Text { codes, levels: classes },
        Labels::Regression(numbers) => Values::Float(numbers),
    };
    Ok(frame)
}

/// How far the labels of a report's tables lie apart, whatever they are of.
pub fn target_difference(report: &Report) -> Option<f64> {
    let change = report.target_change.as_ref().map(|change| change.difference);
    report.target_drift.as_ref().map(|target| target.difference).or(change)
}

/// How far the labels of two tables lie apart, where they are not of two classes, of which the comparison says it. None
/// where a side has no label, or the reference does not vary.
pub fn target_change(reference: &Frame, current: &Frame, label: &Label) -> Option<TargetChange> {
    let values = |frame: &Frame| frame.column(&label.column).map(|column| column.values.clone());
    let (before, after) = (values(reference)?, values(current)?);
    let (measure, difference) = match label.task {
        LabelTask::Binary => return None,
        LabelTask::Multiclass => (TargetMeasure::ClassShares, distance(&shares(&before)?, &shares(&after)?)),
        LabelTask::Regression => (TargetMeasure::StandardDeviations, shift(&known(before)?, &known(after)?)?),
    };
    Some(TargetChange { column: label.column.clone(), measure, difference })
}

/// Half the sum of the differences of shares.
fn distance(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> f64 {
    let classes: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let share = |side: &BTreeMap<String, f64>, class: &String| side.get(class).copied().unwrap_or(0.0);
    0.5 * classes.into_iter().map(|class| (share(before, class) - share(after, class)).abs()).sum::<f64>()
}

/// The difference of the means in standard deviations of the numbers before; none where they do not vary.
fn shift(before: &[f64], after: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let centre = mean(before);
    let squares = before.iter().map(|value| (value - centre).powi(2)).sum::<f64>();
    let deviation = (squares / (before.len() as f64 - 1.0)).sqrt();
    (deviation > 0.0).then(|| (mean(after) - centre).abs() / deviation)
}

/// The share of each class; none without any.
fn shares(values: &Values) -> Option<BTreeMap<String, f64>> {
    let mut shares = BTreeMap::new();
    (0..values.len())
        .filter_map(|row| values.text(row))
        .for_each(|class| *shares.entry(class).or_default() += 1.0);
    let rows: f64 = shares.values().sum();
    shares.values_mut().for_each(|share| *share /= rows);
    (rows > 0.0).then_some(shares)
}

/// The numbers that are there; none without any.
fn known(values: Values) -> Option<Vec<f64>> {
    let numbers: Vec<f64> = match values {
        Values::Float(values) => values.into_iter().filter(|value| value.is_finite()).collect(),
        Values::Integer(values) => values.into_iter().flatten().map(|value| value as f64).collect(),
        _ => return None,
    };
    (!numbers.is_empty()).then_some(numbers)
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
        classes = names.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if matches!(column.values, Values::Integer(_) | Values::Float(_)) {
            let number = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
            classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
    }
    let places: HashMap<&str, u32> =
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
    fn labels_of_two_tables_are_compared_as_their_task() {
        let frame = |values: Values| Frame { rows: values.len(), columns: vec![column(values)] };
        let check = |toml: &str, before: Values, after: Values, expected: Option<f64>| {
            let label = label(toml);
            let [before, after] = [before, after].map(|values| with_label(frame(values), &label).unwrap());
            let found = target_change(&before, &after, &label).map(|change| change.difference);
            assert!(found == expected || (found.unwrap() - expected.unwrap()).abs() < 1e-12, "{found:?}");
            before.columns[0].values.clone()
        };
        let integers = |values: &[i64]| Values::Integer(values.iter().map(|value| Some(*value)).collect());
        // Shares of 1/2, 1/4, 1/4 and of 0, 1/2, 1/2.
        let classes = check("task = \"multiclass\"", integers(&[1, 1, 2, 3]), integers(&[2, 3]), Some(0.5));
        assert!(matches!(classes, Values::Text { levels, .. } if levels == ["1", "2", "3"]));
        // Mean 2 and deviation 1; mean 3.5.
        check("task = \"regression\"", integers(&[1, 2, 3]), integers(&[3, 4]), Some(1.5));
        check("task = \"regression\"", integers(&[2, 2]), integers(&[3]), None);
        check("task = \"regression\"", integers(&[1, 2]), Values::Float(vec![f64::NAN]), None);
        let truths = check("positive = 2", integers(&[1, 2]), integers(&[2]), None);
        assert_eq!(truths, Values::Boolean(vec![Some(false), Some(true)]));
    }

    #[test]
    fn as_many_classes_are_ingested_as_are_learned() {
        assert_eq!(streamflow_dataset::MAX_CLASSES, streamflow_model::MAX_CLASSES);
    }
}
