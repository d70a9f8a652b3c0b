//! The change of a two-class label.

use crate::column::{Column, MISSING, Values};
use crate::profile::Counted;
use crate::report::TargetDrift;

const POSITIVE: [&str; 5] = ["true", "t", "yes", "y", "1"];
const NEGATIVE: [&str; 5] = ["false", "f", "no", "n", "0"];

/// Absolute difference of the positive rates, missing labels left out on each side; none when a side has no label or
/// a label is neither true/yes/1 nor false/no/0.
pub(crate) fn target_drift(reference: &Column, current: &Column) -> Option<TargetDrift> {
    let (reference_rate, current_rate) = (positive_rate(reference)?, positive_rate(current)?);
    Some(TargetDrift {
        column: reference.name.clone(),
        reference_rate,
        current_rate,
        difference: (reference_rate - current_rate).abs(),
    })
}

fn positive_rate(column: &Column) -> Option<f64> {
    let number = |value: f64| match value {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    };
    match &column.values {
        Values::Boolean(values) => rate(values.iter().flatten().map(|&value| (Some(value), 1))),
        Values::Integer(values) => rate(values.iter().flatten().map(|&value| (number(value as f64), 1))),
        Values::Float(values) => {
            rate(values.iter().filter(|value| !value.is_nan()).map(|&value| (number(value), 1)))
        }
        Values::Text { codes, levels } => {
            let classes: Vec<Option<bool>> = levels.iter().map(|level| word(level)).collect();
            rate(codes.iter().filter(|&&code| code != MISSING).map(|&code| (classes[code as usize], 1)))
        }
        Values::Date(_) => None,
        Values::Counted(profile) => match &profile.values {
            // An infinite label is of neither class.
            _ if profile.infinite() > 0 => None,
            Counted::Numbers { counts, .. } => rate(counts.iter().map(|&(value, n)| (number(value), n))),
            Counted::WholeNumbers(counts) => rate(counts.iter().map(|&(value, n)| (number(value as f64), n))),
            Counted::Truths([no, yes]) => rate([(Some(false), *no), (Some(true), *yes)].into_iter()),
            Counted::Labels(counts) => rate(counts.iter().map(|(label, n)| (word(label), *n))),
            Counted::NotKept => None,
        },
    }
}

fn word(level: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| level.trim().eq_ignore_ascii_case(word));
    if is(POSITIVE) {
        Some(true)
    } else if is(NEGATIVE) {
        Some(false)
    } else {
        None
    }
}

/// From classes and how often they occur; none without labels or with one that is of neither class.
fn rate(labels: impl Iterator<Item = (Option<bool>, u64)>) -> Option<f64> {
    let (mut positive, mut all) = (0_u64, 0_u64);
    for (label, count) in labels {
        positive += u64::from(label?) * count;
        all += count;
    }
    (all > 0).then(|| positive as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(column: &Column, expected: Option<f64>) {
        assert_eq!(positive_rate(column), expected, "{column:?}");
    }

    #[test]
    fn labels_of_two_classes_have_a_rate() {
        check(
            &Column::boolean("y", vec![Some(true), None, Some(false), Some(false), Some(false)]),
            Some(0.25),
        );
        check(&Column::integer("y", vec![Some(1), Some(1), None]), Some(1.0));
        check(&Column::float("y", vec![0.0, 1.0, f64::NAN]), Some(0.5));
        check(&Column::text("y", &[Some("Yes"), Some("no "), None]), Some(0.5));
    }

    #[test]
    fn other_labels_have_none() {
        check(&Column::boolean("y", vec![None]), None);
        check(&Column::boolean("y", vec![]), None);
        check(&Column::integer("y", vec![Some(2), Some(1)]), None);
        check(&Column::float("y", vec![f64::INFINITY]), None);
        check(&Column::text("y", &[Some("gold"), Some("no")]), None);
        check(&Column { name: "y".into(), values: Values::Date(vec![Some(1)]) }, None);
    }
}
