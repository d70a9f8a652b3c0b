//! Models that were trained elsewhere, read from their own files and evaluated as their libraries do: XGBoost,
//! LightGBM, CatBoost and ONNX.
//!
//! Judged by the libraries themselves, bit for bit where the order of sums is known. Nothing is trained or converted
//! here. No library is called, but for ONNX graphs with other operators, where the binary offers one
//! ([`offer_runtime`]). What a file has and is not evaluated exactly is refused by its name: there is no
//! answer that is nearly right.
//!
//! Vocabulary: a *feature* is an input of the model; a *margin* is the sum of the trees before the *link* makes it a
//! probability or a value; a *level* is a value of a categorical feature, and its *code* the number that stands for it
//! in the file.
//!
//! ```
//! use streamflow_inference::{Model, Task, Value};
//!
//! let file = "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=binary sigmoid:1\nfeature_names=hours\n\
//!             feature_infos=[0:50]\n\nTree=0\nnum_leaves=2\nsplit_feature=0\nthreshold=30\ndecision_type=8\n\
//!             left_child=-1\nright_child=-2\nleaf_value=1 -1\n\nend of trees\n";
//! let model = Model::read(file.as_bytes())?;
//! assert_eq!(model.task(), Task::Binary);
//! let predictions = model.predict(&[Value::Integer(12), Value::Number(44.5)])?;
//! let probability = predictions.probability.expect("of both classes");
//! let leaves: Vec<bool> = probability.rows().map(|row| row[1] > 0.5).collect();
//! assert_eq!(leaves, [true, false]);
//! # Ok::<(), streamflow_inference::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod additive;
mod catboost;
mod columns;
mod dense;
mod error;
mod explain;
mod forest;
mod format;
mod input;
mod lightgbm;
mod link;
mod model;
mod onnx;
mod predictions;
mod runtime;
mod trees;
mod xgboost;

pub use columns::{Columns, columns};
pub use error::Error;
pub use explain::Explanations;
pub use format::{Format, MAX_FILE_BYTES};
pub use input::{Input, Kind, Level, Levels, Value};
pub use model::{Model, ReadOptions, Task};
pub use predictions::{Labels, Matrix, Predictions};
pub use runtime::{GraphRuntime, PreparedGraph, Tensor, TensorData, offer_runtime};
pub use trees::{ExplainedSum, TreeNode, TreeSum};
