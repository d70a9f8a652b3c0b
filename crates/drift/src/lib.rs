//! Drift of tabular data: reference columns and current columns in, a report out.
//!
//! The *reference* is the side a model knows, the *current* side the one in question. Columns pair up by name; each
//! pair is cleaned (missing and infinite values dropped), tested by its type, and given a verdict: *drifted* or not.
//! The share of drifted columns against a threshold gives the decision. Two profiles decide what drifted means:
//! [`RuleSet::Calibrated`] (significant and large) and [`RuleSet::Evidently`] (as Evidently 0.7).
//!
//! The crate is pure: no files, clock, network or randomness without a fixed seed; the same columns and settings give
//! the same bytes. It reads no files: callers bring columns.
//!
//! ```
//! use streamflow_drift::{Column, Decision, DriftSettings, compare};
//!
//! let hours = |shift: f64| (0..500).map(|i| f64::from(i % 50) + shift).collect();
//! let plans = |first: usize| (0..500).map(|i| Some(if i < first { "basic" } else { "plus" })).collect::<Vec<_>>();
//! let reference = [Column::float("watch_hours", hours(0.0)), Column::text("plan", &plans(300))];
//! let current = [Column::float("watch_hours", hours(9.0)), Column::text("plan", &plans(310))];
//!
//! let report = compare(&reference, &current, &DriftSettings::default())?;
//!
//! let drifted: Vec<_> = report.drifted().map(|column| column.name.as_str()).collect();
//! assert_eq!(drifted, ["watch_hours"]);
//! assert_eq!(report.decision, Decision::RetrainingTriggered); // one of two, over the default share of 0.30
//! assert_eq!(
//!     report.column("watch_hours").unwrap().explanation,
//!     "Mean rose by 0.62 standard deviations, from 24.5 to 33.5"
//! );
//! assert!(report.to_html().starts_with("<!doctype html>"));
//! # Ok::<(), streamflow_drift::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod binning;
mod calibrated;
mod column;
mod column_type;
mod compare;
mod contingency;
mod error;
mod evidently;
mod evidently_json;
mod explain;
mod format;
mod history;
pub mod html;
mod importance;
mod markdown;
mod methods;
mod notes;
mod observations;
mod profile;
mod quality;
mod rank_tests;
mod ratio;
mod report;
mod settings;
mod share;
mod summary;
mod target;

pub use calibrated::{
    CATEGORICAL_EFFECT_THRESHOLD, MISSING_SHARE_THRESHOLD, NUMERICAL_EFFECT_THRESHOLD, SIGNIFICANCE_LEVEL,
};
pub use column::{Column, ColumnType, Kind, MISSING, Values};
pub use compare::{ComparedColumn, Comparison, compare, compare_column};
pub use error::Error;
pub use history::{ColumnHistory, ColumnMonth, HISTORY_SCHEMA_VERSION, History, Month};
pub use importance::{ColumnImportance, WeightedDrift};
pub use methods::{Direction, METHODS, Method, Score, ScoreKind};
pub use observations::{Counts, Numbers, Observations, Texts};
pub use profile::{
    COUNTS_LIMIT, ColumnProfile, ColumnQueries, MAX_DISTINCT, MAX_LABEL_BYTES, SQL_BITS, SqlDialect,
    TableProfile, totals,
};
pub use quality::{ALMOST_CONSTANT_SHARE, Quality, RowFacts, TableQuality};
pub use report::{
    CategoryCount, ColumnReport, ConfidenceInterval, Dataset, Decision, Distribution, EffectSize,
    MissingReport, NotTested, NumericSummary, Report, SCHEMA_VERSION, SideSummary, Status, TargetChange,
    TargetDrift, TargetMeasure,
};
pub use settings::{DRIFT_SHARE_THRESHOLD, DriftSettings, RuleSet, Untested};
pub use share::Share;
