//! Where versions of models are kept and which of them is in production.

mod canary;
mod importance;
mod local;

pub use canary::{ArmStatus, Arms, CanaryStatus};
pub use importance::{FeatureImportance, VersionImportance};
pub use local::{NewImport, NewModel, Registry, SUMS, missing, sums};
