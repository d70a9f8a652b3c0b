//! The `[monitor.performance]` section of the configuration.

use anyhow::bail;
use serde::{Deserialize, Serialize};
use streamflow_performance::{FallRule, GrowthRule, ValueMatrix};

/// `[monitor.performance]`: when a model counts as wrong, and what a better one has to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerformanceConfig {
    /// Fall of the AUC below that of the validation that counts.
    pub min_fall: f64,
    /// Growth of the error over that of the validation, as a share of it, that counts: of a regression's RMSE and of the log
    /// loss of several classes.
    pub min_growth: f64,
    /// Labelled rows below which nothing is decided.
    pub min_labelled: u64,
    /// Labelled rows of each class below which nothing is decided.
    pub min_of_each_class: u64,
    /// How much AUC a candidate may lack and still count as not worse; of errors, by what share they may be larger.
    pub margin: f64,
    /// Gain of AUC over production that the lower end of the interval has to exceed for a promotion; of errors, the share
    /// by which they are smaller.
    pub min_gain: f64,
    /// What becomes of a better candidate.
    pub promote: Promote,
    /// Hours after which an unanswered question about a promotion means no.
    pub approval_hours: u64,
    /// What each kind of prediction is worth, in money or any unit; where all are worth nothing, the business value is not
    /// measured.
    pub value: PredictionValue,
}

/// What a prediction of each kind is worth; costs are negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictionValue {
    pub true_positive: f64,
    pub false_positive: f64,
    pub true_negative: f64,
    pub false_negative: f64,
}

/// What becomes of a better candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Promote {
    /// It is promoted.
    Yes,
    /// Somebody is asked.
    Ask,
    /// It stays a candidate.
    No,
}

impl Default for PerformanceConfig {
    fn default() -> Self {
        let FallRule { min_fall, min_labelled, min_of_each_class } = FallRule::default();
        Self {
            min_fall,
            min_growth: GrowthRule::default().min_growth,
            min_labelled,
            min_of_each_class,
            margin: 0.01,
            min_gain: 0.0,
            promote: Promote::Yes,
            approval_hours: 72,
            value: PredictionValue::default(),
        }
    }
}

impl PerformanceConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (name, value) in
            [("min_fall", self.min_fall), ("margin", self.margin), ("min_gain", self.min_gain)]
        {
            if !(0.0..=1.0).contains(&value) {
                bail!(
                    "monitor.performance.{name} is {value}; expected an AUC difference from 0 to 1, such as 0.03"
                );
            }
        }
        if !(self.min_growth >= 0.0 && self.min_growth.is_finite()) {
            bail!(
                "monitor.performance.min_growth is {}; expected a share of the validated error of at least 0, such as 0.05",
                self.min_growth
            );
        }
        if self.approval_hours == 0 {
            bail!(
                "monitor.performance.approval_hours is 0: nobody could answer in time; expected hours, such as 72"
            );
        }
        let PredictionValue { true_positive, false_positive, true_negative, false_negative } = self.value;
        for (name, worth) in [
            ("true_positive", true_positive),
            ("false_positive", false_positive),
            ("true_negative", true_negative),
            ("false_negative", false_negative),
        ] {
            if !worth.is_finite() {
                bail!("monitor.performance.value.{name} is {worth}; expected a finite number, such as -10.0");
            }
        }
        Ok(())
    }

    /// What predictions are worth, where somebody has said: actual class down, predicted class across.
    pub fn value_matrix(&self) -> Option<ValueMatrix> {
        let worth = self.value;
        let is_given = worth != PredictionValue::default();
        is_given.then_some([
            [worth.true_negative, worth.false_positive],
            [worth.false_negative, worth.true_positive],
        ])
    }

    /// When a performance counts as fallen.
    pub fn rules(&self) -> (FallRule, GrowthRule) {
        let Self { min_fall, min_growth, min_labelled, min_of_each_class, .. } = *self;
        (FallRule { min_fall, min_labelled, min_of_each_class }, GrowthRule { min_growth, min_labelled })
    }
}
