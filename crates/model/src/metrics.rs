//! How good the trained model is, on rows it was not trained on.
//!
//! The functions are those of `streamflow-performance`: one per metric, with scikit-learn's names.

use serde::{Deserialize, Serialize};

pub use streamflow_performance::{
    CALIBRATION_BINS, accuracy_score, best_f1_threshold, brier_score_loss, expected_calibration_error,
    f1_score, log_loss, roc_auc_score,
};

/// The metrics of a trained model on its validation rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
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
