//! How right a model was on a chunk of rows, and how right it probably is where labels are missing.
//!
//! What it is: metrics of classifiers and regressions with their intervals, comparisons of two models on the same rows,
//! estimates without labels, the slices where a model is worst, the parts of a change, and the decisions that follow from
//! them. What it is not: it trains nothing, reads no file, keeps no history and knows no time; folds, seeds, day numbers
//! and the probabilities of learners are arguments.
//!
//! Vocabulary: *rows* have a *label* (what happened), a *score* (the probability that a model gave) and a *predicted*
//! class, each of which may be missing; a *chunk* is some rows of a table; the *reference* is labelled rows that the model
//! was not trained on, as a rule its validation rows; a metric is *realised* where labels are known and *estimated* where
//! they are not; a *band* says how far a realised value may lie from an estimate; *production* is the model in use and the
//! *candidate* the one that may replace it.
//!
//! ```
//! use streamflow_performance::{Cbpe, CbpeSettings, Labelled, Metric, Rows};
//!
//! // A reference of 1,000 rows whose scores are right: one in ten of those at 0.1 is positive, and so on.
//! let scores: Vec<f64> = (0..1000).map(|row| f64::from(row % 10) / 10.0).collect();
//! let labels = (0..1000).map(|row| Some(row / 10 % 10 < row % 10)).collect();
//! let folds: Vec<u32> = (0..1000).map(|row| row / 100).collect();
//! let reference = Rows::at_threshold(labels, scores, 0.5)?;
//! let validated = Labelled::new(&reference).auc().expect("both classes are there");
//! assert!((validated.value - 0.8333).abs() < 1e-4);
//!
//! // Later rows have no labels yet, and more of them are in the middle, where it is hard to tell.
//! let scores: Vec<f64> = (0..500).map(|row| 0.3 + f64::from(row % 5) / 10.0).collect();
//! let later = Rows::at_threshold(vec![None; 500], scores, 0.5)?;
//! let estimated = Cbpe::fit(&reference, &folds, CbpeSettings::default())?.estimate(&later);
//! let auc = estimated.metrics[&Metric::RocAuc].value.expect("there are enough rows of either class");
//! assert!(auc < 0.7);
//! # Ok::<(), streamflow_performance::Error>(())
//! ```
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
mod label_coverage;
mod mcnemar;
mod measured;
mod measured_classes;
mod measured_values;
mod metric;
mod multiclass;
mod paired_loss;
mod promotion;
mod promotion_by_loss;
mod ranking;
mod regression;
mod rows;
mod scores;
mod segments;
mod thresholds;
mod words;

pub use bootstrap::RESAMPLES;
pub use cbpe::{
    Bands, Calibration, Calibrator, Cbpe, CbpeSettings, ClassCbpe, ClassCbpeSettings, ClassReference,
    Estimated, EstimatedClasses, EstimatedValue, Isotonic, MIN_ISOTONIC_ROWS, Platt,
};
pub use chunk::{Chunk, Incomplete, Period, chunks_by_number, chunks_by_period, chunks_of_size};
pub use confusion::{Confusion, Normalise, ValueMatrix};
pub use curves::{CalibrationBin, OperatingPoint, ScoreBin};
pub use decomposition::{Change, Decomposition, DecompositionSettings, LabelledPeriod, Parts};
pub use delong::{Auc, AucDifference};
pub use dle::{Dle, ErrorMetric, EstimatedError};
pub use error::Error;
pub use fall::{Fall, FallRule, GrowthRule, Validated};
pub use interval::{CONFIDENCE, Interval};
pub use label_coverage::{CoverageState, LabelCoverage};
pub use mcnemar::McNemar;
pub use measured::{CALIBRATION_BINS, Labelled, Measured, MeasuredValue};
pub use measured_classes::{ClassRow, MeasuredClasses, row_class_loss};
pub use measured_values::{MeasuredValues, ValueBin, ValueDecile};
pub use metric::{About, Better, METRICS, Metric, binary_metrics};
pub use multiclass::{ByClass, MulticlassMetrics};
pub use paired_loss::PairedLoss;
pub use promotion::{PairedRows, Promotion, PromotionReport, PromotionRule};
pub use promotion_by_loss::{LossDifference, LossMetric, LossRule, PairedLosses};
pub use regression::{RegressionMetrics, mean_pinball_loss};
pub use rows::Rows;
pub use scores::{
    accuracy_score, average_precision_score, best_f1_threshold, brier_score_loss, expected_calibration_error,
    f1_score, log_loss, roc_auc_score, row_log_loss,
};
pub use segments::{Condition, MISSING, Segment, SegmentColumn, SegmentRule, Segments};
pub use thresholds::{MIN_REFERENCE_CHUNKS, Thresholds, reference_thresholds};
pub use words::significant;

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
