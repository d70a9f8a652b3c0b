//! How right a model was on a chunk of rows, and how right it probably is where labels are missing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bootstrap;
mod cbpe;
mod chunk;
mod confusion;
mod curves;
mod decomposition;
mod delong;
mod dle;
mod error;
mod fall;
mod interval;
mod mcnemar;
mod measured;
mod metric;
mod multiclass;
mod paired_loss;
mod promotion;
mod ranking;
mod regression;
mod rows;
mod scores;
mod segments;
mod thresholds;

pub use bootstrap::RESAMPLES;
pub use cbpe::{
    Bands, Calibration, Calibrator, Cbpe, CbpeSettings, Estimated, EstimatedValue, Isotonic,
    MIN_ISOTONIC_ROWS, Platt,
};
pub use chunk::{Chunk, FEW_CHUNKS, Incomplete, Period, chunks_by_number, chunks_by_period, chunks_of_size};
pub use confusion::{Confusion, Normalise, ValueMatrix};
pub use curves::{CalibrationBin, OperatingPoint, ScoreBin};
pub use decomposition::{Change, Decomposition, DecompositionSettings, LabelledPeriod, Parts};
pub use delong::{Auc, AucDifference};
pub use dle::{Dle, ErrorMetric, EstimatedError};
pub use error::Error;
pub use fall::{Fall, FallRule, ValidationAuc};
pub use interval::{CONFIDENCE, Interval};
pub use mcnemar::McNemar;
pub use measured::{CALIBRATION_BINS, Labelled, Measured, MeasuredValue};
pub use metric::{About, Better, METRICS, Metric};
pub use multiclass::{ByClass, MulticlassMetrics};
pub use paired_loss::PairedLoss;
pub use promotion::{PairedRows, Promotion, PromotionReport, PromotionRule};
pub use regression::{RegressionMetrics, mean_pinball_loss};
pub use rows::Rows;
pub use scores::{
    accuracy_score, average_precision_score, best_f1_threshold, brier_score_loss, expected_calibration_error,
    f1_score, log_loss, roc_auc_score, row_log_loss,
};
pub use segments::{Condition, MISSING, Segment, SegmentColumn, SegmentRule, Segments};
pub use thresholds::{MIN_REFERENCE_CHUNKS, Thresholds, reference_thresholds};
