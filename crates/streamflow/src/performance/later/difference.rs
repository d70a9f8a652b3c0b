//! In what labelled answers are not like the others, in words that tell the two apart and not an earlier time from a later.

use serde::Serialize;
use streamflow_drift::{ColumnReport, Distribution, NumericSummary};
use streamflow_performance::significant;

use super::sample::SCORE;

/// Differences that a sentence names.
const NAMED: usize = 5;
/// Means that are this many standard deviations apart are told before the spreads.
const NOTABLE_SHIFT: f64 = 0.05;

/// In what labelled answers are not like the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// A feature, or `score`.
    pub column: String,
    /// The name of the measure, and how large the difference is; none where a share of missing values differs alone.
    pub measure: Option<String>,
    pub effect: Option<f64>,
    /// From where on it counts.
    pub threshold: Option<f64>,
    /// The labelled answers and the others, in words.
    pub words: String,
}

impl Difference {
    /// That of a column whose reference is the other answers.
    pub fn of(column: &ColumnReport) -> Self {
        let effect = column.effect_size.as_ref();
        Self {
            column: if column.name == SCORE { "score" } else { &column.name }.to_owned(),
            measure: effect.map(|effect| effect.name.clone()),
            effect: effect.and_then(|effect| effect.value),
            threshold: effect.map(|effect| effect.threshold),
            words: words_of(column),
        }
    }

    /// How many times the size from which it counts.
    pub fn size(&self) -> f64 {
        self.effect.zip(self.threshold).map_or(0.0, |(effect, threshold)| effect.abs() / threshold)
    }
}

fn words_of(column: &ColumnReport) -> String {
    let missing = column.missing.as_ref().filter(|missing| missing.drifted);
    let missing =
        missing.map(|found| format!("missing: {}", shares(found.current_share, found.reference_share)));
    let numbers = |side: &Option<streamflow_drift::SideSummary>| side.as_ref()?.numeric.clone();
    let values = match (numbers(&column.reference), numbers(&column.current), &column.distribution) {
        (Some(others), Some(labelled), _) => numeric(&labelled, &others),
        (_, _, Some(Distribution::Categories { labels, reference, current, other })) => {
            category(labels, (current, reference), *other)
        }
        _ => None,
    };
    let all: Vec<String> = missing.into_iter().chain(values).collect();
    if all.is_empty() { "the values differ".to_owned() } else { all.join(", ") }
}

fn numeric(labelled: &NumericSummary, others: &NumericSummary) -> Option<String> {
    let both = |of: fn(&NumericSummary) -> f64| {
        format!("{} with a label, {} without", significant(of(labelled)), significant(of(others)))
    };
    let shift = (labelled.mean - others.mean).abs() / others.std;
    match (labelled == others, shift >= NOTABLE_SHIFT) {
        (true, _) => None,
        (false, true) => Some(format!("mean {}", both(|of| of.mean))),
        (false, false) => Some(format!("standard deviation {}", both(|of| of.std))),
    }
}

/// The category whose shares are the furthest apart.
fn category(names: &[String], (labelled, others): (&[u64], &[u64]), other: usize) -> Option<String> {
    let total = |side: &[u64]| side.iter().sum::<u64>().max(1) as f64;
    let (of_labelled, of_others) = (total(labelled), total(others));
    let share = |at: usize| (labelled[at] as f64 / of_labelled, others[at] as f64 / of_others);
    let apart = |at: &usize| (share(*at).0 - share(*at).1).abs();
    let most = (0..names.len()).max_by(|a, b| apart(a).total_cmp(&apart(b)))?;
    let name = match other {
        1.. if most + 1 == names.len() => format!("the {other} rarest values"),
        _ => format!("{:?}", names[most]),
    };
    Some(format!("{name}: {}", shares(share(most).0, share(most).1)))
}

fn shares(labelled: f64, others: f64) -> String {
    format!("{:.1} % with a label, {:.1} % without", labelled * 100.0, others * 100.0)
}

/// A sentence on the differences; none without any. Where fewer answers than all are `held`, its numbers are of these.
pub fn sentence(differences: &[Difference], labelled: usize, rows: usize, held: usize) -> Option<String> {
    if differences.is_empty() {
        return None;
    }
    let shown = |found: &Difference| format!("{} ({})", found.column, found.words);
    let named: Vec<String> = differences.iter().take(NAMED).map(shown).collect();
    let more = match differences.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let sampled =
        if held < rows { format!(" (about, by a sample of {held} answers)") } else { String::new() };
    Some(format!(
        "What the labels say holds for the {labelled} labelled answers only, which are not like the {} without a \
         label{sampled}: {}{more}.",
        rows - labelled,
        named.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use streamflow_drift::{Column, DriftSettings, compare};

    use super::*;

    #[test]
    fn both_sides_are_told_and_no_time() {
        let number = |values: [f64; 2]| Column::float("x", values.repeat(50));
        let text = |values: [Option<&str>; 2]| Column::text("x", &values.repeat(50));
        for (others, labelled, expected) in [
            (number([1.0, 3.0]), number([5.0, 7.0]), "mean 6.000 with a label, 2.000 without"),
            (number([2.0, 2.0]), number([5.0, 7.0]), "mean 6.000 with a label, 2.000 without"),
            (
                number([1.0, 3.0]),
                number([-6.0, 10.0]),
                "standard deviation 8.040 with a label, 1.005 without",
            ),
            (text([Some("a"), Some("b")]), text([Some("a"); 2]), "\"b\": 0.0 % with a label, 50.0 % without"),
            (text([Some("a"), None]), text([Some("a"); 2]), "missing: 0.0 % with a label, 50.0 % without"),
        ] {
            let report = compare(&[others], &[labelled], &DriftSettings::default()).unwrap();
            let words = Difference::of(&report.columns[0]).words;
            assert!(words.starts_with(expected), "{words}");
        }
    }

    #[test]
    fn numbers_of_a_sample_are_said_to_be_about_right() {
        let difference = Difference {
            column: "hours".to_owned(),
            measure: None,
            effect: None,
            threshold: None,
            words: "mean 1 with a label, 2 without".to_owned(),
        };
        let said = |held| sentence(std::slice::from_ref(&difference), 50, 400, held).unwrap();
        let end = "hours (mean 1 with a label, 2 without).";
        assert!(said(400).ends_with(&format!("not like the 350 without a label: {end}")), "{}", said(400));
        let about = format!("not like the 350 without a label (about, by a sample of 100 answers): {end}");
        assert!(said(100).ends_with(&about), "{}", said(100));
    }
}
