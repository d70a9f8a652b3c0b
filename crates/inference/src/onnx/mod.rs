//! ONNX: a graph of operators. Those that converters of tree ensembles, linear models and small networks write are
//! evaluated; any other is refused by its name when the file is read.
//!
//! Judged by onnxruntime on one thread: tree ensembles are compared and added up in 32 bits for inputs of 32 bits.

mod bounded;
mod ensemble;
mod graph;
mod linear;
mod operators;
mod preprocessing;
mod proto;
mod shaping;
mod tensor;
mod wire;

pub(crate) use graph::{Graph, read};
pub use tensor::{Data, Tensor};
