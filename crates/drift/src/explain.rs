//! One line in words of what changed in a column.

use crate::column::ColumnType;
use crate::format::{list, number, percent};
use crate::notes::NAMED;
use crate::observations::Observations;
use crate::report::{ColumnReport, Distribution, NumericSummary, SideSummary, Status};

/// Mean shifts below this many standard deviations are not worth a word when something else changed more.
const NOTABLE_SHIFT: f64 = 0.05;

/// What changed, whether or not it amounts to drift; first what does.
pub(crate) fn explain(column: &ColumnReport) -> String {
    let values = match column.status {
        Status::Ignored => format!("not tested: {}", reason(column)),
        Status::NotComputable if column.drifted => {
            format!("cannot be tested any more, which counts as drift: {}", reason(column))
        }
        Status::NotComputable => format!("not computable: {}", reason(column)),
        Status::Tested if column.reason.is_some() => format!("values not compared: {}", reason(column)),
        Status::Tested if !column.explanation.is_empty() => column.explanation.clone(),
        Status::Tested => values(column),
    };
    let words = match missing(column) {
        Some(missing) if column.missing.as_ref().is_some_and(|report| report.drifted) => {
            format!("{missing}; {values}")
        }
        Some(missing) => format!("{values}; {missing}"),
        None => values,
    };
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Words on categories of which the sides share none, else nothing.
pub(crate) fn disjoint(seen: &Observations) -> String {
    let Observations::Categorical(counts) = seen else { return String::new() };
    if counts.reference.iter().zip(&counts.current).any(|(reference, current)| reference.min(current) > &0) {
        return String::new();
    }
    let names = |side: &[u64]| {
        let here = counts.labels.iter().zip(side).filter(|(_, n)| **n > 0);
        list(&here.map(|(label, _)| label.as_str()).collect::<Vec<_>>(), NAMED)
    };
    format!(
        "no current value occurs in the reference: 0 % → 100 % unseen; the sides are fully disjoint (new: {}; gone: {})",
        names(&counts.current),
        names(&counts.reference),
    )
}

/// Why a column was not tested.
pub(crate) fn reason(column: &ColumnReport) -> &str {
    column.reason.as_deref().unwrap_or("no reason given")
}

fn values(column: &ColumnReport) -> String {
    let numeric = |side: &Option<SideSummary>| side.as_ref().and_then(|side| side.numeric.clone());
    if let (Some(reference), Some(current)) = (numeric(&column.reference), numeric(&column.current)) {
        return numbers(&reference, &current);
    }
    match &column.distribution {
        Some(Distribution::Categories { labels, reference, current, other }) => {
            shares(labels, reference, current, *other)
        }
        Some(Distribution::Histogram { reference, current, .. }) if reference == current => {
            "no change".into()
        }
        _ if column.column_type != ColumnType::Text => "numbers too large to summarise".into(),
        _ => match &column.effect_size {
            Some(effect) if effect.value.is_some_and(|auc| auc >= effect.threshold) => {
                "a classifier can tell the texts of the two sides apart".into()
            }
            _ => "a classifier cannot tell the texts of the two sides apart".into(),
        },
    }
}

fn numbers(reference: &NumericSummary, current: &NumericSummary) -> String {
    if reference == current {
        return "no change".into();
    }
    let (difference, widened) = (current.mean - reference.mean, current.std / reference.std);
    let means = format!("from {} to {}", number(reference.mean), number(current.mean));
    let direction = if difference > 0.0 { "rose" } else { "fell" };
    if reference.std <= 0.0 {
        return match difference == 0.0 {
            true => format!("was always {}, now varies", number(reference.mean)),
            false => format!("was always {}, mean now {}", number(reference.mean), number(current.mean)),
        };
    }
    let shift = difference / reference.std;
    if shift.abs() >= NOTABLE_SHIFT {
        return format!("mean {direction} by {:.2} standard deviations, {means}", shift.abs());
    }
    if current.std <= 0.0 {
        return format!("varied, now always {}", number(current.mean));
    }
    if !(0.95..=1.05).contains(&widened) {
        let verb = if widened > 1.0 { "grew" } else { "shrank" };
        let spread = format!("spread {verb} from {} to {}", number(reference.std), number(current.std));
        return format!("{spread} (standard deviation), mean {means}");
    }
    format!(
        "mean {}, {} standard deviations",
        if difference == 0.0 { "unchanged".to_owned() } else { means },
        signed(shift)
    )
}

fn signed(shift: f64) -> String {
    format!("{}{:.2}", if shift < 0.0 { "−" } else { "+" }, shift.abs())
}

/// The label whose share moved most.
fn shares(labels: &[String], reference: &[u64], current: &[u64], other: usize) -> String {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let move_of = |i: usize| current[i] as f64 / m - reference[i] as f64 / n;
    // One of two labels rises as the other falls, but for rounding: the rise is told.
    let size = |i: usize| ((move_of(i).abs() * 1e9).round(), move_of(i));
    let truth = labels.iter().position(|label| label == "true").filter(|_| labels.len() <= 2);
    let most = truth.or_else(|| {
        (0..labels.len())
            .max_by(|&a, &b| size(a).0.total_cmp(&size(b).0).then(size(a).1.total_cmp(&size(b).1)))
    });
    let Some(most) = most.filter(|&i| move_of(i) != 0.0) else { return "no change".into() };
    let direction = if move_of(most) > 0.0 { "rose" } else { "fell" };
    let (from, to) = (percent(reference[most] as f64 / n), percent(current[most] as f64 / m));
    if other > 0 && most + 1 == labels.len() {
        return format!("share of the {other} rarest values {direction} from {from} to {to}");
    }
    format!("share of {:?} {direction} from {from} to {to}", labels[most])
}

fn missing(column: &ColumnReport) -> Option<String> {
    let missing = column.missing.as_ref()?;
    let difference = missing.current_share - missing.reference_share;
    if difference == 0.0 {
        return None;
    }
    let direction = if difference > 0.0 { "rose" } else { "fell" };
    let (from, to) = (percent(missing.reference_share), percent(missing.current_share));
    Some(format!("missing values {direction} from {from} to {to}"))
}

#[cfg(test)]
mod tests {
    use crate::{Column, DriftSettings, compare};

    #[track_caller]
    fn check(reference: Column, current: Column, expected: &str) {
        let report = compare(&[reference], &[current], &DriftSettings::default()).unwrap();
        assert_eq!(report.columns[0].explanation, expected);
    }

    #[test]
    fn numbers_are_told_by_what_changed_most() {
        let column =
            |f: &dyn Fn(f64) -> f64| Column::float("x", (0..101).map(|i| f(f64::from(i) - 50.0)).collect());
        check(column(&|x| x), column(&|x| x), "No change");
        check(column(&|x| x), column(&|x| x + 29.3), "Mean rose by 1.00 standard deviations, from 0 to 29.3");
        check(
            column(&|x| x),
            column(&|x| x - 2.93),
            "Mean fell by 0.10 standard deviations, from 0 to −2.93",
        );
        check(
            column(&|x| x),
            column(&|x| x * 2.0),
            "Spread grew from 29.3 to 58.6 (standard deviation), mean from 0 to 0",
        );
        check(column(&|_| 1.0), column(&|x| x), "Was always 1, mean now 0");
    }

    #[test]
    fn categories_are_told_by_the_largest_move_and_missing_besides() {
        let text = |rows: [Option<&str>; 4]| Column::text("x", &rows.repeat(10));
        check(
            text([Some("a"), Some("b"), Some("b"), Some("b")]),
            text([Some("a"), Some("a"), Some("b"), None]),
            "Missing values rose from 0 % to 25 %; share of \"a\" rose from 25 % to 66.7 %",
        );
    }

    #[test]
    fn sides_without_a_common_category_are_said_to_be_disjoint() {
        let labels = |rows: usize, of: &[&str]| {
            Column::text("x", &(0..rows).map(|i| Some(of[i % of.len()])).collect::<Vec<_>>())
        };
        check(
            labels(600, &["basic", "plus"]),
            labels(7, &["gold"]),
            "No current value occurs in the reference: 0 % → 100 % unseen; the sides are fully disjoint (new: \
             \"gold\"; gone: \"basic\", \"plus\")",
        );
    }

    #[test]
    fn what_was_not_tested_is_told_with_its_reason() {
        let empty = Column::float("x", vec![f64::NAN; 3]);
        check(empty.clone(), empty, "Not computable: no values in reference");
        check(
            Column::float("x", vec![1.0; 50]),
            Column::float("x", vec![f64::NAN; 50]),
            "Cannot be tested any more, which counts as drift: no values in current; missing values rose from 0 % to 100 %",
        );
    }
}
