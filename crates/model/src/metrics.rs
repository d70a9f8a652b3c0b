//! How good the trained model is, on rows it was not trained on.
//!
//! The functions are those of `streamflow-performance`: one per metric, with scikit-learn's names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use streamflow_performance::{
    CALIBRATION_BINS, accuracy_score, best_f1_threshold, brier_score_loss, expected_calibration_error,
    f1_score, log_loss, roc_auc_score,
};
use streamflow_performance::{Interval, MeasuredValue, Metric};

/// The metrics of a trained model on its validation rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Of a classifier of two classes.
    Binary(BinaryMetrics),
    /// Of a classifier of several classes or a regression.
    Other(TaskMetrics),
}

/// The metrics of a classifier of two classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryMetrics {
    /// [`roc_auc_score`].
    pub auc: f64,
    /// [`f1_score`] at `threshold`.
    pub f1: f64,
    /// [`accuracy_score`] at `threshold`.
    pub accuracy: f64,
    /// [`log_loss`].
    pub log_loss: f64,
    /// [`brier_score_loss`].
    pub brier_score: f64,
    /// [`expected_calibration_error`] over ten bins.
    pub expected_calibration_error: f64,
    /// Share of positive labels among the validation rows.
    pub positive_rate: f64,
    /// Probability from which a row is predicted positive; chosen on training rows only.
    pub threshold: f64,
    /// Labelled rows trained on.
    pub n_train: usize,
    /// Labelled rows these metrics were measured on.
    pub n_validation: usize,
}

/// The metrics of a classifier of several classes or a regression, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// Labelled rows trained on.
    pub n_train: usize,
    /// Labelled rows these metrics were measured on.
    pub n_validation: usize,
    /// The 95 % intervals of those that have one.
    pub intervals: BTreeMap<Metric, Interval>,
    /// The metrics; those that are undefined for these rows are left out.
    #[serde(flatten)]
    pub values: BTreeMap<Metric, f64>,
}

impl Metrics {
    /// Those of a classifier of two classes.
    pub fn binary(&self) -> Option<&BinaryMetrics> {
        match self {
            Metrics::Binary(metrics) => Some(metrics),
            Metrics::Other(_) => None,
        }
    }

    /// Labelled rows trained on, and measured on.
    pub fn rows(&self) -> (usize, usize) {
        match self {
            Metrics::Binary(metrics) => (metrics.n_train, metrics.n_validation),
            Metrics::Other(metrics) => (metrics.n_train, metrics.n_validation),
        }
    }
}

impl TaskMetrics {
    /// Of what was measured on `n_validation` rows.
    pub fn new(
        measured: &BTreeMap<Metric, MeasuredValue>,
        n_train: usize,
        n_validation: usize,
    ) -> TaskMetrics {
        let values = measured.iter().filter_map(|(metric, found)| Some((*metric, found.value?)));
        let intervals = measured.iter().filter_map(|(metric, found)| Some((*metric, found.interval?)));
        TaskMetrics { n_train, n_validation, intervals: intervals.collect(), values: values.collect() }
    }
}
