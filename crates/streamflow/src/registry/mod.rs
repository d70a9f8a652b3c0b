//! Where versions of models are kept and which of them is in production.

mod local;

pub use local::{NewImport, NewModel, Registry, SUMS, missing, sums};
