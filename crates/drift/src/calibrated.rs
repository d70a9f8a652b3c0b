//! The `calibrated` profile: drifted means significant and large.
//!
//! Significant: the two-sample p-value, adjusted by Benjamini and Hochberg (1995,
//! doi:10.1111/j.2517-6161.1995.tb02031.x) over every test of the report, is at most 0.05. Large: the effect size is
//! at or over its threshold. On identical populations at most 5 % of whole reports name any column, because every
//! test holds its level. Effect sizes estimated from few rows are too large; significance guards against that.

use streamflow_stats::{self as stats, benjamini_hochberg};

use crate::column::Column;
use crate::contingency::contingency_p;
use crate::methods::text::roc_auc_test;
use crate::methods::{Direction, Method, ScoreKind, known};
use crate::observations::{Numbers, Observations};
use crate::rank_tests::rank_tests;
use crate::report::{ColumnReport, EffectSize, MissingReport, Status};

/// The false discovery rate over the tests of a report.
pub const SIGNIFICANCE_LEVEL: f64 = 0.05;
/// A change of the missing share by this much, absolute, is large.
pub const MISSING_SHARE_THRESHOLD: f64 = 0.05;
/// A standardised Wasserstein distance from here on is large: a tenth of a standard deviation.
pub const NUMERICAL_EFFECT_THRESHOLD: f64 = 0.1;
/// A Jensen–Shannon distance from here on is large: Cohen's w = 0.2, safely below a medium effect (w = 0.3).
pub const CATEGORICAL_EFFECT_THRESHOLD: f64 = 0.07;
/// Differences below this share of the largest value are rounding, not variation.
const ROUNDING: f64 = 1e-9;

/// Fills in p-value and effect size of the values; the verdict needs all columns. `own_threshold` bounds the effect
/// size in place of the measure's own.
pub(crate) fn measure(
    report: &mut ColumnReport,
    seen: &Observations,
    asked: Option<&'static Method>,
    own_threshold: Option<f64>,
) -> Result<(), String> {
    let of_kind = |kind| asked.filter(|method| method.score_kind == kind);
    let defaults = defaults(seen)?;
    let (name, p_value) = match of_kind(ScoreKind::PValue) {
        Some(method) => (method.name, (method.score)(seen)?.value),
        None => (defaults.test, defaults.p_value),
    };
    let (measure, effect, threshold) = match of_kind(ScoreKind::Distance) {
        Some(method) => (method.name, (method.score)(seen)?.value, method.threshold),
        None => (defaults.measure, defaults.effect, defaults.threshold),
    };
    report.method = Some(name.to_owned());
    report.score_kind = Some(ScoreKind::PValue);
    report.threshold = Some(SIGNIFICANCE_LEVEL);
    report.p_value = Some(p_value).filter(|p| !p.is_nan());
    let value = Some(effect).filter(|effect| effect.is_finite());
    let threshold = own_threshold.unwrap_or(threshold);
    report.effect_size = Some(EffectSize { name: measure.to_owned(), value, threshold });
    Ok(())
}

struct Defaults {
    test: &'static str,
    p_value: f64,
    measure: &'static str,
    effect: f64,
    threshold: f64,
}

fn defaults(seen: &Observations) -> Result<Defaults, String> {
    let words = |error: stats::Error| error.to_string();
    match seen {
        Observations::Numerical(numbers) => Ok(Defaults {
            test: "rank_tests",
            p_value: rank_tests(numbers).map_err(words)?,
            measure: "wasserstein",
            effect: standardised_distance(numbers).map_err(words)?,
            threshold: NUMERICAL_EFFECT_THRESHOLD,
        }),
        Observations::Categorical(counts) => Ok(Defaults {
            test: "chi2_contingency",
            p_value: contingency_p(&counts.reference, &counts.current).map_err(words)?,
            measure: "jensenshannon",
            effect: (known("jensenshannon").score)(seen)?.value,
            threshold: CATEGORICAL_EFFECT_THRESHOLD,
        }),
        Observations::Text(texts) => {
            let (roc_auc, p_value) = roc_auc_test(texts)?;
            Ok(Defaults {
                test: "domain_classifier",
                p_value,
                measure: "roc_auc",
                effect: roc_auc,
                threshold: known("abs_text_content_drift").threshold,
            })
        }
    }
}

/// W₁ in standard deviations of the reference, or of both sides where the reference is constant; 0 where both vary
/// by rounding only.
fn standardised_distance(numbers: &Numbers) -> Result<f64, stats::Error> {
    let sides = [&numbers.reference, &numbers.current];
    let scale = sides
        .iter()
        .flat_map(|side| [side.min(), side.max()])
        .flatten()
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    let varies = |unit: &f64| *unit > ROUNDING * scale;
    let of_both =
        || -> Result<f64, stats::Error> { Ok(numbers.reference.merge(&numbers.current)?.variance(0).sqrt()) };
    let unit = match Some(numbers.reference.variance(0).sqrt()).filter(varies) {
        Some(unit) => Some(unit),
        None => Some(of_both()?).filter(varies),
    };
    match unit {
        Some(unit) => Ok(stats::wasserstein_distance(&numbers.reference, &numbers.current)? / unit),
        None => Ok(0.0),
    }
}

/// The missing shares of both sides and, where anything is missing, the p-value of their being equal.
pub(crate) fn missing_test(reference: &Column, current: &Column) -> Result<Option<f64>, stats::Error> {
    let counts = |column: &Column| {
        let present = column.present();
        [present as u64, (column.rows() - present) as u64]
    };
    let (reference, current) = (counts(reference), counts(current));
    if reference[1] + current[1] == 0 {
        return Ok(None);
    }
    contingency_p(&reference, &current).map(Some)
}

/// Adjusts all p-values together and gives every verdict.
pub(crate) fn decide(columns: &mut [ColumnReport]) {
    let of_values = columns.iter().map(|column| column.p_value);
    let of_missing = columns.iter().map(|column| column.missing.as_ref().and_then(|missing| missing.p_value));
    let p_values: Vec<f64> = of_values.chain(of_missing).map(|p| p.unwrap_or(f64::NAN)).collect();
    let adjusted = benjamini_hochberg(&p_values);
    let (values, missing) = adjusted.split_at(columns.len());
    for ((column, &value), &missing) in columns.iter_mut().zip(values).zip(missing) {
        let known = |p: f64| Some(p).filter(|p| !p.is_nan());
        column.adjusted_p_value = known(value);
        column.score = column.adjusted_p_value;
        let values_drifted =
            significant(value) && column.effect_size.as_ref().is_some_and(EffectSize::is_large);
        let missing_drifted = column.missing.as_mut().is_some_and(|report| {
            report.adjusted_p_value = known(missing);
            report.drifted = significant(missing) && report.is_large();
            report.drifted
        });
        if column.status == Status::Tested {
            column.drifted = values_drifted || missing_drifted;
        }
    }
}

fn significant(p_value: f64) -> bool {
    Direction::AtMost.holds(p_value, SIGNIFICANCE_LEVEL)
}

impl EffectSize {
    /// Tells whether the difference counts. A size that is not finite does.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.value.is_none_or(|value| value >= self.threshold)
    }
}

impl MissingReport {
    /// Tells whether the change of the share counts.
    #[must_use]
    pub fn is_large(&self) -> bool {
        (self.current_share - self.reference_share).abs() >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use streamflow_stats::Sample;

    use super::*;

    #[track_caller]
    fn check_distance(reference: &[f64], current: &[f64], expected: f64) {
        let sample = |values: &[f64]| Cow::Owned(Sample::new(values.to_vec()).unwrap());
        let numbers = Numbers { reference: sample(reference), current: sample(current), integer: false };
        let distance = standardised_distance(&numbers).unwrap();
        assert!((distance - expected).abs() < 1e-12, "{distance} is not {expected}");
    }

    #[test]
    fn the_unit_of_distance_is_never_zero() {
        check_distance(&[0.0, 2.0], &[1.0, 3.0], 1.0);
        check_distance(&[5.0, 5.0], &[5.0, 5.0], 0.0);
        // A constant that moved: half the move is the pooled standard deviation.
        check_distance(&[0.0, 0.0], &[3.0, 3.0], 2.0);
        // 29.14… computed in another order is no drift.
        check_distance(&[29.141_044_640_845_1; 3], &[29.141_044_640_845_106; 3], 0.0);
    }

    #[test]
    fn missing_is_tested_only_where_something_is_missing() {
        let full = Column::float("x", vec![1.0; 100]);
        let holes = Column::float("x", [vec![1.0; 50], vec![f64::NAN; 50]].concat());
        assert_eq!(missing_test(&full, &full).unwrap(), None);
        assert_eq!(missing_test(&holes, &holes).unwrap(), Some(1.0));
        assert!(missing_test(&full, &holes).unwrap().unwrap() < 1e-10);
    }
}
