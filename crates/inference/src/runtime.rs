//! Another program's library that computes graphs whose operators are not evaluated here, offered by the binary.

use std::sync::OnceLock;

pub use crate::onnx::{Data as TensorData, Tensor};

/// Computes ONNX graphs.
pub trait GraphRuntime: Send + Sync {
    /// Makes a graph ready to be computed.
    ///
    /// # Errors
    /// A sentence that says why it cannot be, and what helps: there is no library, or the graph is not such as it takes.
    fn prepare(&self, file: &[u8]) -> Result<Box<dyn PreparedGraph>, String>;
}

/// A graph that is ready to be computed.
pub trait PreparedGraph: Send + Sync {
    /// The outputs with these names for inputs by their names, of any number of rows. A value that is no tensor but a map
    /// of each row is a matrix, its columns in the order of the keys.
    ///
    /// # Errors
    /// A sentence that says what cannot be computed.
    fn run(&self, inputs: Vec<(&str, Tensor)>, outputs: &[&str]) -> Result<Vec<Tensor>, String>;
}

static RUNTIME: OnceLock<Box<dyn GraphRuntime>> = OnceLock::new();

/// Offers a runtime to all graphs that this process reads from now on. The first that is offered stays.
pub fn offer_runtime(runtime: Box<dyn GraphRuntime>) {
    // A second offer says the same of the same process.
    let _ = RUNTIME.set(runtime);
}

/// What the offered runtime makes of a graph; `None` where none is offered.
pub(crate) fn prepare(file: &[u8]) -> Option<Result<Box<dyn PreparedGraph>, String>> {
    RUNTIME.get().map(|runtime| runtime.prepare(file))
}
