//! Trains a model on a table, measures it on entities it never saw, stores it as a directory of checked files
//! and predicts with it.
//!
//! What it trains are gradient boosted trees with native missing values and categories: a classifier of two or
//! of several classes with calibrated probabilities, or a regression, by what the label is. It is not a
//! framework: one kind of model. A model that was trained elsewhere is *imported*: it takes the same columns, is stored alike and predicts alike. The
//! crate knows nothing of time, network or logging; the seed is a setting and the directory an argument.
//!
//! Vocabulary: a *feature* is a named column, *numerical* or *categorical*; a categorical feature has
//! *levels*; an *entity* (a user) has rows, and all of them are in the *training* or all in the
//! *validation* part; the *threshold* is the probability from which a row is predicted positive.
//!
//! ```
//! use streamflow_model::{Answer, FeatureColumn, FeatureValue, Features, Labels, Model, TrainSettings, train};
//!
//! // 400 users: those on the monthly plan leave, unless they watch a lot.
//! let monthly: Vec<u32> = (0..400).map(|i| i % 2).collect();
//! let hours: Vec<f64> = (0..400).map(|i| f64::from(i * 37 % 50)).collect();
//! let left = (0..400).map(|i| Some(monthly[i] == 1 && hours[i] < 30.0)).collect();
//! let users: Vec<String> = (0..400).map(|i| format!("U{i:04}")).collect();
//! let features = Features::new(vec![
//!     ("plan".into(), FeatureColumn::Categorical { codes: monthly, levels: vec!["yearly".into(), "monthly".into()] }),
//!     ("hours".into(), FeatureColumn::Numerical(hours)),
//! ])?;
//!
//! let trained = train(&features, &Labels::Binary(left), &users, &TrainSettings::default())?;
//! assert!(trained.metrics.binary().is_some_and(|metrics| metrics.auc > 0.95));
//!
//! # let parent = tempfile::tempdir()?;
//! # let directory = parent.path().join("churn-1");
//! trained.save(&directory)?;
//! let model = Model::load(&directory)?;
//! let answer = model.answer(&[FeatureValue::Text("monthly"), FeatureValue::Number(3.0)])?;
//! assert!(matches!(answer, Answer::Probability(probability) if probability >= model.threshold()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod artifact;
mod boosters;
mod boosting;
mod calibration;
mod description;
mod ensemble;
mod error;
mod explain;
mod features;
mod import;
mod isotonic;
mod labels;
mod level_order;
mod mapping;
pub mod metrics;
mod model;
mod model_file;
mod onnx;
mod profile;
mod schema;
mod search;
mod selection;
mod settings;
mod split;
mod task;
mod train;
mod trained_entities;
mod trees;
mod weights;

pub use artifact::Stored;
pub use boosters::{Answer, Answers, largest};
pub use boosting::{Direction, TreeSettings};
pub use calibration::Calibrated;
pub use error::Error;
pub use explain::{Contributions, Explanation};
pub use features::{FeatureColumn, FeatureValue, Features, MISSING};
pub use import::{Import, ImportRecord, ImportSettings, ImportedFeature, JudgedAtImport};
pub use isotonic::IsotonicCalibrated;
pub use labels::{ClassRows, Labels};
pub use mapping::mapped;
pub use metrics::{BinaryMetrics, Metrics, TaskMetrics};
pub use model::{Model, Predictions};
pub use profile::{
    ClassHistogram, Distribution, FeatureProfile, LevelCount, QUANTILES, ReferenceProfile, SCORE_BINS,
    ValueHistogram,
};
pub use schema::{EncodedRow, Feature, Kind, Level, Schema};
pub use search::Progress;
pub use selection::{Candidate, Searched, Selection};
pub use settings::{Calibration, ClassWeight, Search, TrainSettings, Validation, WeightRule};
pub use split::{is_validation, split_position};
pub use task::Task;
pub use train::{
    Importance, MAX_CLASSES, MAX_LABEL, MIN_TRAINING_ROWS, MIN_VALIDATION_ROWS, Table, Trained,
    TrainingRecord, train, train_table,
};
pub use trained_entities::TrainedEntities;
pub use trees::Trees;
