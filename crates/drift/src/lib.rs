//! Drift of tabular data: reference columns and current columns in, a report out.
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
mod html;
mod markdown;
mod methods;
mod notes;
mod observations;
mod rank_tests;
mod report;
mod settings;
mod summary;
mod target;

pub use calibrated::{
    CATEGORICAL_EFFECT_THRESHOLD, MISSING_SHARE_THRESHOLD, NUMERICAL_EFFECT_THRESHOLD, SIGNIFICANCE_LEVEL,
};
pub use column::{Column, ColumnType, MISSING, Values};
pub use compare::{ComparedColumn, Comparison, compare, compare_column};
pub use error::Error;
pub use methods::{Comparison as ThresholdComparison, METHODS, Method, Score};
pub use observations::{Counts, Numbers, Observations, Texts};
pub use report::{
    CategoryCount, ColumnReport, Dataset, Decision, Distribution, EffectSize, MissingReport, NumericSummary,
    Report, SCHEMA_VERSION, ScoreKind, SideSummary, Status, TargetDrift,
};
pub use settings::{Profile, Settings};
