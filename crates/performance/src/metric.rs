//! The metrics of models, one row each.

use serde::{Deserialize, Serialize};

/// A metric of a model; its name in JSON is that of [`Metric::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "METRICS has a line for each")]
pub enum Metric {
    RocAuc,
    AveragePrecision,
    LogLoss,
    Brier,
    F1,
    Precision,
    Recall,
    Specificity,
    Accuracy,
    BalancedAccuracy,
    Mcc,
    CohenKappa,
    F2,
    Gini,
    Ks,
    #[serde(rename = "ece_quantile_10")]
    EceQuantile10,
    #[serde(rename = "ece_uniform_10")]
    EceUniform10,
    PositiveRate,
    PredictedPositiveRate,
    TruePositive,
    TrueNegative,
    FalsePositive,
    FalseNegative,
    BusinessValue,
    MacroF1,
    WeightedF1,
    RocAucOvr,
    Rmse,
    Mae,
    R2,
    Mape,
    Medae,
    MeanError,
    MaxError,
}

/// Which direction of a metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Neither: the metric describes.
    Neither,
}

/// What is to be known of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct About {
    /// The metric.
    pub metric: Metric,
    /// Its name in JSON.
    pub name: &'static str,
    /// What it is, for a reader.
    pub help: &'static str,
    /// Its smallest and largest value.
    pub range: (f64, f64),
    /// Its good direction.
    pub better: Better,
}

const SHARE: (f64, f64) = (0.0, 1.0);
const SIGNED: (f64, f64) = (-1.0, 1.0);
const COUNT: (f64, f64) = (0.0, f64::INFINITY);
const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const BELOW_ONE: (f64, f64) = (f64::NEG_INFINITY, 1.0);

use Better::{Higher, Lower, Neither};

/// All metrics, in the order of [`Metric`]: first those of classifiers of two classes, then those that other models have
/// beside some of these.
pub static METRICS: [About; 34] = [
    about(
        Metric::RocAuc,
        "roc_auc",
        "area under the ROC curve: a positive row scores above a negative one",
        SHARE,
        Higher,
    ),
    about(
        Metric::AveragePrecision,
        "average_precision",
        "mean precision over the recall reached",
        SHARE,
        Higher,
    ),
    about(Metric::LogLoss, "log_loss", "mean −ln of the probability given to what happened", COUNT, Lower),
    about(Metric::Brier, "brier", "mean squared error of the probabilities", SHARE, Lower),
    about(Metric::F1, "f1", "harmonic mean of precision and recall", SHARE, Higher),
    about(Metric::Precision, "precision", "share of positive predictions that are right", SHARE, Higher),
    about(Metric::Recall, "recall", "share of positive rows that are found", SHARE, Higher),
    about(Metric::Specificity, "specificity", "share of negative rows that are left alone", SHARE, Higher),
    about(Metric::Accuracy, "accuracy", "share of rows predicted right", SHARE, Higher),
    about(Metric::BalancedAccuracy, "balanced_accuracy", "mean of recall and specificity", SHARE, Higher),
    about(Metric::Mcc, "mcc", "Matthews' correlation of label and prediction", SIGNED, Higher),
    about(
        Metric::CohenKappa,
        "cohen_kappa",
        "agreement of label and prediction beyond chance",
        SIGNED,
        Higher,
    ),
    about(Metric::F2, "f2", "as F1, recall counting twice as much", SHARE, Higher),
    about(Metric::Gini, "gini", "2 AUC − 1", SIGNED, Higher),
    about(Metric::Ks, "ks", "largest distance of the two classes' score distributions", SHARE, Higher),
    about(
        Metric::EceQuantile10,
        "ece_quantile_10",
        "calibration error over ten bins of equal frequency",
        SHARE,
        Lower,
    ),
    about(
        Metric::EceUniform10,
        "ece_uniform_10",
        "calibration error over ten bins of equal width",
        SHARE,
        Lower,
    ),
    about(Metric::PositiveRate, "positive_rate", "share of positive rows", SHARE, Neither),
    about(
        Metric::PredictedPositiveRate,
        "predicted_positive_rate",
        "share of rows predicted positive",
        SHARE,
        Neither,
    ),
    about(Metric::TruePositive, "true_positive", "positive rows predicted positive", COUNT, Higher),
    about(Metric::TrueNegative, "true_negative", "negative rows predicted negative", COUNT, Higher),
    about(Metric::FalsePositive, "false_positive", "negative rows predicted positive", COUNT, Lower),
    about(Metric::FalseNegative, "false_negative", "positive rows predicted negative", COUNT, Lower),
    about(
        Metric::BusinessValue,
        "business_value",
        "what all predictions together are worth",
        UNBOUNDED,
        Higher,
    ),
    about(Metric::MacroF1, "macro_f1", "mean of the classes' F1", SHARE, Higher),
    about(
        Metric::WeightedF1,
        "weighted_f1",
        "mean of the classes' F1, weighted with their rows",
        SHARE,
        Higher,
    ),
    about(
        Metric::RocAucOvr,
        "roc_auc_ovr",
        "mean over classes of the area under the ROC curve of the class against all others",
        SHARE,
        Higher,
    ),
    about(Metric::Rmse, "rmse", "root of the mean squared error, in units of the label", COUNT, Lower),
    about(Metric::Mae, "mae", "mean size of the error, in units of the label", COUNT, Lower),
    about(Metric::R2, "r2", "share of the label's variance that the model explains", BELOW_ONE, Higher),
    about(Metric::Mape, "mape", "mean size of the error as a share of the label's size", COUNT, Lower),
    about(Metric::Medae, "medae", "median size of the error, in units of the label", COUNT, Lower),
    about(
        Metric::MeanError,
        "mean_error",
        "mean of prediction − label: above 0 the predictions are too high",
        UNBOUNDED,
        Neither,
    ),
    about(Metric::MaxError, "max_error", "largest size of an error, in units of the label", COUNT, Lower),
];

/// The metrics of a classifier of two classes.
#[must_use]
pub fn binary_metrics() -> &'static [About] {
    &METRICS[..=Metric::BusinessValue as usize]
}

const fn about(
    metric: Metric,
    name: &'static str,
    help: &'static str,
    range: (f64, f64),
    better: Better,
) -> About {
    About { metric, name, help, range, better }
}

impl Metric {
    /// Its row of [`METRICS`].
    #[must_use]
    pub fn about(self) -> &'static About {
        &METRICS[self as usize]
    }

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// The metrics of a classifier of several classes, the one that decides first.
    pub const MULTICLASS: [Self; 8] = [
        Self::LogLoss,
        Self::Accuracy,
        Self::MacroF1,
        Self::WeightedF1,
        Self::BalancedAccuracy,
        Self::RocAucOvr,
        Self::Mcc,
        Self::CohenKappa,
    ];

    /// The metrics of a regression, the one that decides first.
    pub const REGRESSION: [Self; 7] =
        [Self::Rmse, Self::Mae, Self::R2, Self::Mape, Self::Medae, Self::MeanError, Self::MaxError];

    /// The metrics of a classifier of two classes that can be estimated without labels.
    pub const ESTIMATED: [Self; 12] = [
        Self::RocAuc,
        Self::AveragePrecision,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Specificity,
        Self::Accuracy,
        Self::TruePositive,
        Self::TrueNegative,
        Self::FalsePositive,
        Self::FalseNegative,
        Self::BusinessValue,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_metrics() {
        for (place, about) in METRICS.iter().enumerate() {
            assert_eq!(about.metric as usize, place, "{}", about.name);
            assert_eq!(serde_json::to_string(&about.metric).unwrap(), format!("{:?}", about.name));
            assert!(about.range.0 < about.range.1 && !about.help.is_empty());
        }
    }
}
