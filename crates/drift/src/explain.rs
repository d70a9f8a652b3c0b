//! One line in words of what changed in a column.

use crate::format::{number, percent};
use crate::report::{ColumnReport, Distribution, NumericSummary, Status};

/// Mean shifts below this many standard deviations are not worth a word when something else changed more.
const NOTABLE_SHIFT: f64 = 0.05;

/// What changed, whether or not it amounts to drift.
pub(crate) fn explain(column: &ColumnReport) -> String {
    let mut parts = Vec::new();
    match column.status {
        Status::Ignored => parts.push(format!("Not tested: {}", reason(column))),
        Status::NotComputable => parts.push(format!("Not computable: {}", reason(column))),
        Status::Tested if column.reason.is_some() => {
            parts.push(format!("Values not compared: {}", reason(column)))
        }
        Status::Tested => parts.push(values(column)),
    }
    if let Some(words) = missing(column) {
        parts.push(words);
    }
    parts.join("; ")
}

fn reason(column: &ColumnReport) -> &str {
    column.reason.as_deref().unwrap_or("no reason given")
}

fn values(column: &ColumnReport) -> String {
    let numeric =
        |side: &Option<crate::report::SideSummary>| side.as_ref().and_then(|side| side.numeric.clone());
    if let (Some(reference), Some(current)) = (numeric(&column.reference), numeric(&column.current)) {
        return numbers(&reference, &current);
    }
    match &column.distribution {
        Some(Distribution::Categories { labels, reference, current, .. }) => {
            shares(labels, reference, current)
        }
        Some(Distribution::Histogram { reference, current, .. }) if reference == current => {
            "No change".into()
        }
        _ => match &column.effect_size {
            Some(effect) if effect.value.is_some_and(|auc| auc >= effect.threshold) => {
                "A classifier can tell the texts of the two sides apart".into()
            }
            _ => "A classifier cannot tell the texts of the two sides apart".into(),
        },
    }
}

fn numbers(reference: &NumericSummary, current: &NumericSummary) -> String {
    if reference == current {
        return "No change".into();
    }
    let (difference, widened) = (current.mean - reference.mean, current.std / reference.std);
    let means = format!("from {} to {}", number(reference.mean), number(current.mean));
    let direction = if difference > 0.0 { "rose" } else { "fell" };
    if reference.std <= 0.0 {
        return match difference == 0.0 {
            true => format!("Was always {}, now varies", number(reference.mean)),
            false => format!("Was always {}, mean now {}", number(reference.mean), number(current.mean)),
        };
    }
    let shift = difference / reference.std;
    if shift.abs() >= NOTABLE_SHIFT {
        return format!("Mean {direction} by {:.2} standard deviations, {means}", shift.abs());
    }
    if current.std <= 0.0 {
        return format!("Varied, now always {}", number(current.mean));
    }
    if !(0.95..=1.05).contains(&widened) {
        let verb = if widened > 1.0 { "grew" } else { "shrank" };
        let spread = format!("Spread {verb} from {} to {}", number(reference.std), number(current.std));
        return format!("{spread} (standard deviation), mean {means}");
    }
    format!(
        "Mean {}, {} standard deviations",
        if difference == 0.0 { "unchanged".to_owned() } else { means },
        signed(shift)
    )
}

fn signed(shift: f64) -> String {
    format!("{}{:.2}", if shift < 0.0 { "−" } else { "+" }, shift.abs())
}

/// The label whose share moved most.
fn shares(labels: &[String], reference: &[u64], current: &[u64]) -> String {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let move_of = |i: usize| current[i] as f64 / m - reference[i] as f64 / n;
    // Of two labels one rises as the other falls, but for rounding: tell the rise.
    let size = |i: usize| ((move_of(i).abs() * 1e9).round(), move_of(i));
    let most = (0..labels.len())
        .max_by(|&a, &b| size(a).0.total_cmp(&size(b).0).then(size(a).1.total_cmp(&size(b).1)));
    let Some(most) = most.filter(|&i| move_of(i) != 0.0) else { return "No change".into() };
    let direction = if move_of(most) > 0.0 { "rose" } else { "fell" };
    let (from, to) = (percent(reference[most] as f64 / n), percent(current[most] as f64 / m));
    format!("Share of {:?} {direction} from {from} to {to}", labels[most])
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
    use crate::{Column, Settings, compare};

    #[track_caller]
    fn check(reference: Column, current: Column, expected: &str) {
        let report = compare(&[reference], &[current], &Settings::default()).unwrap();
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
            "Share of \"a\" rose from 25 % to 66.7 %; missing values rose from 0 % to 25 %",
        );
    }

    #[test]
    fn what_was_not_tested_is_told_with_its_reason() {
        let empty = Column::float("x", vec![f64::NAN; 3]);
        check(empty.clone(), empty, "Not computable: no values in reference");
        check(
            Column::float("x", vec![1.0; 50]),
            Column::float("x", vec![f64::NAN; 50]),
            "Values not compared: no values in current; missing values rose from 0 % to 100 %",
        );
    }
}
