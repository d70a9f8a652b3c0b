//! Where versions of models are kept and which of them is in production.

mod importance;
mod local;

pub use importance::{FeatureImportance, VersionImportance};
pub use local::{NewImport, NewModel, Registry, SUMS, missing, sums};
