//! Whether performance has fallen since the model was validated.

use serde::{Deserialize, Serialize};

use crate::delong::Auc;
use crate::error::Error;
use crate::interval::Interval;
use crate::measured::MeasuredValue;
use crate::metric::Metric;
use crate::words::significant;

/// When a realised AUC counts as fallen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FallRule {
    /// The smallest fall of the AUC that matters.
    pub min_fall: f64,
    /// Labelled rows below which nothing is decided.
    pub min_labelled: u64,
    /// Rows of either class below which nothing is decided.
    pub min_of_each_class: u64,
}

impl Default for FallRule {
    fn default() -> Self {
        Self { min_fall: 0.03, min_labelled: 200, min_of_each_class: 30 }
    }
}

/// The deciding metric that a model promised when it was validated, on rows it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// The metric.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision", content = "reason")]
pub enum Fall {
    /// The performance has fallen, significantly and by enough to matter.
    Fallen(String),
    /// It has not, or not by enough.
    NoAction(String),
    /// Something is missing; the reason says what.
    Undecided(String),
}

impl Fall {
    /// The reason in a sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Fallen(reason) | Self::NoAction(reason) | Self::Undecided(reason) => reason,
        }
    }
}

impl FallRule {
    /// Holds the realised AUC of `labelled` rows against the validated one: fallen when the upper end of the realised
    /// interval lies under the lower end of the validated one *and* the fall is at least `min_fall`.
    ///
    /// Both intervals apart is stricter than a test of the difference (about p < 0.006 for equal errors), as befits what
    /// is looked at every month. `None` for a side that has no AUC.
    ///
    /// # Errors
    /// [`Error::Setting`] for a `min_fall` that is not in [0, 1].
    pub fn decide(
        &self,
        validation: Option<&Validated>,
        realised: Option<&Auc>,
        labelled: u64,
    ) -> Result<Fall, Error> {
        if !(0.0..=1.0).contains(&self.min_fall) {
            let expected = "an AUC difference from 0 to 1";
            return Err(Error::Setting { name: "min_fall", value: self.min_fall, expected });
        }
        if let Some(missing) = self.missing(realised, labelled) {
            return Ok(Fall::Undecided(missing));
        }
        let Some((realised, interval)) = realised.and_then(|auc| Some((auc, auc.interval?))) else {
            return Ok(Fall::Undecided("The realised AUC has no interval.".to_owned()));
        };
        let Some(validation) = validation else {
            return Ok(Fall::Undecided(format!(
                "The realised AUC is {:.3}, but the model has no AUC of validation to hold it against.",
                realised.value
            )));
        };
        let fall = validation.value - realised.value;
        let found = format!(
            "The realised AUC is {:.3} (95 % {:.3} to {:.3}), that of validation {:.3} ({:.3} to {:.3})",
            realised.value,
            interval.low,
            interval.high,
            validation.value,
            validation.interval.low,
            validation.interval.high
        );
        let apart = interval.high < validation.interval.low;
        Ok(match (apart, fall >= self.min_fall) {
            (true, true) => Fall::Fallen(format!("{found}: it has fallen by {fall:.3}.")),
            (true, false) => Fall::NoAction(format!(
                "{found}: it has fallen by {fall:.3}, less than the {} that matter.",
                self.min_fall
            )),
            (false, _) => Fall::NoAction(format!("{found}: the intervals overlap or it has risen.")),
        })
    }

    /// What a decision lacks, in a sentence.
    fn missing(&self, realised: Option<&Auc>, labelled: u64) -> Option<String> {
        if labelled < self.min_labelled {
            return Some(too_few(labelled, self.min_labelled));
        }
        let Some(auc) = realised else {
            return Some(format!("All {labelled} labelled rows are of one class."));
        };
        let fewer = auc.positives.min(auc.negatives);
        (fewer < self.min_of_each_class).then(|| {
            format!(
                "{} labelled rows are positive and {} negative, {} of each are needed.",
                auc.positives, auc.negatives, self.min_of_each_class
            )
        })
    }
}

/// When an error that grows, such as RMSE or log loss, counts as a fallen performance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrowthRule {
    /// The smallest growth of the error that matters, as a share of the validated one.
    pub min_growth: f64,
    /// Labelled rows below which nothing is decided.
    pub min_labelled: u64,
}

impl Default for GrowthRule {
    fn default() -> Self {
        Self { min_growth: 0.05, min_labelled: FallRule::default().min_labelled }
    }
}

impl GrowthRule {
    /// Holds a realised error of `labelled` rows against the validated one: fallen when the lower end of the realised
    /// interval lies over the upper end of the validated one *and* the error has grown by at least `min_growth` of it.
    /// `None` for a model without a validation.
    ///
    /// # Errors
    /// [`Error::Setting`] for a `min_growth` that is negative or not finite.
    pub fn decide(
        &self,
        metric: Metric,
        validation: Option<&Validated>,
        realised: Option<&MeasuredValue>,
        labelled: u64,
    ) -> Result<Fall, Error> {
        if !(self.min_growth >= 0.0 && self.min_growth.is_finite()) {
            let expected = "a share of the validated error of at least 0, such as 0.05";
            return Err(Error::Setting { name: "min_growth", value: self.min_growth, expected });
        }
        let name = metric.name();
        if labelled < self.min_labelled {
            return Ok(Fall::Undecided(too_few(labelled, self.min_labelled)));
        }
        let Some((value, interval)) = realised.and_then(|found| found.value.zip(found.interval)) else {
            return Ok(Fall::Undecided(format!("The realised {name} has no interval.")));
        };
        let Some(validation) = validation else {
            let value = significant(value);
            return Ok(Fall::Undecided(format!(
                "The realised {name} is {value}, but the model has no {name} of validation to hold it against."
            )));
        };
        let growth = value - validation.value;
        let found = format!(
            "The realised {name} is {value:.4} (95 % {:.4} to {:.4}), that of validation {:.4} ({:.4} to {:.4})",
            interval.low, interval.high, validation.value, validation.interval.low, validation.interval.high
        );
        let apart = interval.low > validation.interval.high;
        let share = 100.0 * growth / validation.value;
        Ok(match (apart, growth >= self.min_growth * validation.value) {
            (true, true) => Fall::Fallen(format!("{found}: the error has grown by {share:.1} %.")),
            (true, false) => Fall::NoAction(format!(
                "{found}: the error has grown by {share:.1} %, less than the {:.1} % that matter.",
                100.0 * self.min_growth
            )),
            (false, _) => {
                Fall::NoAction(format!("{found}: the intervals overlap or the error has become smaller."))
            }
        })
    }
}

fn too_few(labelled: u64, needed: u64) -> String {
    let rows = if labelled == 1 { "1 row has".to_owned() } else { format!("{labelled} rows have") };
    format!("{rows} a label, {needed} are needed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_grows_is_a_fall() {
        let validation = Validated { value: 10.0, interval: Interval { low: 9.5, high: 10.5 } };
        let check = |value: f64, half: f64, labelled, expected: fn(String) -> Fall, words: &str| {
            let interval = Some(Interval { low: value - half, high: value + half });
            let realised = MeasuredValue { value: Some(value), interval };
            let rule = GrowthRule::default();
            let found = rule.decide(Metric::Rmse, Some(&validation), Some(&realised), labelled).unwrap();
            assert!(found.reason().contains(words), "{found:?}");
            assert_eq!(found, expected(found.reason().to_owned()));
        };
        check(13.0, 0.5, 1000, Fall::Fallen, "grown by 30.0 %");
        check(10.49, 0.001, 1000, Fall::NoAction, "overlap");
        check(11.5, 2.0, 1000, Fall::NoAction, "overlap");
        check(5.0, 0.1, 1000, Fall::NoAction, "become smaller");
        check(13.0, 0.5, 199, Fall::Undecided, "199 rows have a label, 200 are needed");
        check(13.0, 0.5, 1, Fall::Undecided, "1 row has a label, 200 are needed");
        let strict = GrowthRule { min_growth: 0.5, min_labelled: 1 };
        let realised =
            MeasuredValue { value: Some(13.0), interval: Some(Interval { low: 12.0, high: 14.0 }) };
        let found = strict.decide(Metric::Rmse, Some(&validation), Some(&realised), 9).unwrap();
        assert!(matches!(&found, Fall::NoAction(reason) if reason.contains("less than the 50.0 %")));
        let found = strict.decide(Metric::Rmse, None, Some(&realised), 9).unwrap();
        assert!(matches!(&found, Fall::Undecided(reason) if reason.contains("no rmse of validation")));
        let unknown = GrowthRule { min_growth: f64::NAN, min_labelled: 1 };
        assert!(unknown.decide(Metric::Rmse, None, None, 9).is_err());
    }

    fn auc(value: f64, half: f64, positives: u64, negatives: u64) -> Auc {
        Auc {
            value,
            standard_error: Some(half / 1.96),
            interval: Some(Interval { low: value - half, high: value + half }),
            logit_interval: None,
            positives,
            negatives,
        }
    }

    #[test]
    fn a_fall_is_significant_and_large() {
        let validation = Validated { value: 0.83, interval: Interval { low: 0.81, high: 0.85 } };
        let check = |realised: Option<Auc>, labelled, expected: fn(String) -> Fall, words: &str| {
            let found = FallRule::default().decide(Some(&validation), realised.as_ref(), labelled).unwrap();
            assert!(found.reason().contains(words), "{found:?}");
            assert_eq!(found, expected(found.reason().to_owned()));
        };
        check(Some(auc(0.70, 0.02, 100, 900)), 1000, Fall::Fallen, "fallen by 0.130");
        check(Some(auc(0.805, 0.002, 9000, 9000)), 18_000, Fall::NoAction, "less than the 0.03");
        check(Some(auc(0.75, 0.07, 100, 900)), 1000, Fall::NoAction, "overlap");
        check(Some(auc(0.90, 0.01, 100, 900)), 1000, Fall::NoAction, "overlap or it has risen");
        check(Some(auc(0.30, 0.01, 100, 99)), 199, Fall::Undecided, "199 rows have a label, 200 are needed");
        check(Some(auc(0.30, 0.01, 29, 900)), 929, Fall::Undecided, "29 labelled rows are positive");
        check(None, 500, Fall::Undecided, "one class");
    }

    #[test]
    fn a_model_without_validation_is_undecided() {
        let found = FallRule::default().decide(None, Some(&auc(0.7, 0.02, 100, 900)), 1000).unwrap();
        assert!(
            matches!(&found, Fall::Undecided(reason) if reason.contains("no AUC of validation")),
            "{found:?}"
        );
        let rule = FallRule { min_fall: f64::NAN, ..FallRule::default() };
        assert!(rule.decide(None, None, 0).is_err());
    }
}
