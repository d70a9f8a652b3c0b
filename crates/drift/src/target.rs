//! The change of a two-class label, with an interval that says how sure it is.

use streamflow_stats::norm_ppf;

use crate::column::{Column, MISSING, Values};
use crate::profile::Counted;
use crate::report::{ConfidenceInterval, TargetDrift};

const POSITIVE: [&str; 5] = ["true", "t", "yes", "y", "1"];
const NEGATIVE: [&str; 5] = ["false", "f", "no", "n", "0"];
const CONFIDENCE: f64 = 0.95;

/// Absolute difference of the positive rates, missing labels left out on each side; none when a side has no label or
/// a label is neither true/yes/1 nor false/no/0.
pub(crate) fn target_drift(reference: &Column, current: &Column) -> Option<TargetDrift> {
    let (before, after) = (positives(reference)?, positives(current)?);
    let (reference_rate, current_rate) = (before.rate(), after.rate());
    Some(TargetDrift {
        column: reference.name.clone(),
        reference_rate,
        current_rate,
        difference: (reference_rate - current_rate).abs(),
        change_interval: newcombe(before, after),
    })
}

/// Positive labels among those present; at least one is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Positives {
    count: u64,
    of: u64,
}

impl Positives {
    fn rate(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// Wilson's score interval: (p + z²/2n ∓ z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n). Wilson 1927,
    /// doi:10.1080/01621459.1927.10502953.
    fn wilson(self, z: f64) -> (f64, f64) {
        let (p, n) = (self.rate(), self.of as f64);
        let (centre, unit) = (p + z * z / (2.0 * n), 1.0 + z * z / n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((centre - half) / unit, (centre + half) / unit)
    }
}

/// The interval of `current − reference`, −1 to 1: the hybrid score interval of two independent proportions without
/// continuity correction, d − √((p₂ − l₂)² + (u₁ − p₁)²) to d + √((u₂ − p₂)² + (p₁ − l₁)²) with Wilson's l and u.
/// Unlike Wald's it neither leaves −1 to 1 nor vanishes at rates of 0 and 1. Newcombe 1998, method 10,
/// doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
fn newcombe(reference: Positives, current: Positives) -> ConfidenceInterval {
    let z = norm_ppf(0.5 + CONFIDENCE / 2.0);
    let (p1, p2) = (reference.rate(), current.rate());
    let ((l1, u1), (l2, u2)) = (reference.wilson(z), current.wilson(z));
    let change = p2 - p1;
    ConfidenceInterval {
        confidence: CONFIDENCE,
        // The formula stays within −1 to 1 but for rounding.
        low: (change - (p2 - l2).hypot(u1 - p1)).max(-1.0),
        high: (change + (u2 - p2).hypot(p1 - l1)).min(1.0),
    }
}

fn positives(column: &Column) -> Option<Positives> {
    let number = |value: f64| match value {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    };
    match &column.values {
        Values::Boolean(values) => among(values.iter().flatten().map(|&value| (Some(value), 1))),
        Values::Integer(values) => among(values.iter().flatten().map(|&value| (number(value as f64), 1))),
        Values::Float(values) => {
            among(values.iter().filter(|value| !value.is_nan()).map(|&value| (number(value), 1)))
        }
        Values::Text { codes, levels } => {
            let classes: Vec<Option<bool>> = levels.iter().map(|level| word(level)).collect();
            among(codes.iter().filter(|&&code| code != MISSING).map(|&code| (classes[code as usize], 1)))
        }
        Values::Date(_) => None,
        Values::Counted(profile) => match &profile.values {
            // An infinite label is of neither class.
            _ if profile.infinite() > 0 => None,
            Counted::Exact(sample) => among(sample.iter().map(|(value, n)| (number(value), n))),
            Counted::Numbers { counts, .. } => among(counts.iter().map(|&(value, n)| (number(value), n))),
            Counted::WholeNumbers(counts) => {
                among(counts.iter().map(|&(value, n)| (number(value as f64), n)))
            }
            Counted::Truths([no, yes]) => among([(Some(false), *no), (Some(true), *yes)].into_iter()),
            Counted::Labels(counts) => among(counts.iter().map(|(label, n)| (word(label), *n))),
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
fn among(labels: impl Iterator<Item = (Option<bool>, u64)>) -> Option<Positives> {
    let mut found = Positives { count: 0, of: 0 };
    for (label, count) in labels {
        found.count += u64::from(label?) * count;
        found.of += count;
    }
    (found.of > 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(column: &Column, expected: Option<f64>) {
        assert_eq!(positives(column).map(Positives::rate), expected, "{column:?}");
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

    /// `statsmodels.stats.proportion.confint_proportions_2indep(k2, n2, k1, n1, method="newcomb", compare="diff")`,
    /// statsmodels 0.15.0.
    #[test]
    fn the_interval_of_the_change_is_newcombes() {
        for ((k1, n1), (k2, n2), low, high) in [
            ((26, 100), (24, 100), -0.138_841_139_918_500_1, 0.099_551_093_632_599_2),
            ((1866, 7043), (1705, 7043), -0.037_215_232_556_016_095, -0.008_491_959_236_159_037),
            ((0, 20), (0, 10), -0.161_125_158_052_819_8, 0.277_532_799_862_889_26),
            ((0, 7), (5, 5), 0.439_352_990_359_699_9, 1.0),
            ((1, 3), (1, 2), -0.445_781_232_861_924_56, 0.654_829_225_335_750_4),
            ((1, 1), (0, 1), -1.0, 0.122_108_720_681_942_18),
            ((31_000, 100_000), (30_000, 100_000), -0.014_035_064_331_617_126, -0.005_964_489_889_707_448),
        ] {
            let found = newcombe(Positives { count: k1, of: n1 }, Positives { count: k2, of: n2 });
            assert!((found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12, "{found:?}");
        }
    }
}
