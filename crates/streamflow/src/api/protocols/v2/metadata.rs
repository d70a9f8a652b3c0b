//! What the server and its models are, as the Open Inference Protocol tells it.

use serde::Serialize;

use crate::api::ApiState;
use crate::api::models::{Listed, Target};
use crate::api::protocols::datatype::Datatype;

/// What `GET /v2` answers.
#[derive(Serialize)]
pub struct ServerMetadata {
    pub name: &'static str,
    pub version: &'static str,
    pub extensions: [&'static str; 2],
}

impl ServerMetadata {
    pub fn new() -> Self {
        let extensions = ["binary_tensor_data", "model_repository"];
        Self { name: "streamflow", version: env!("CARGO_PKG_VERSION"), extensions }
    }
}

/// What `GET /v2/models/MODEL` answers.
#[derive(Serialize)]
pub struct ModelMetadata {
    pub name: String,
    pub versions: Vec<String>,
    pub platform: String,
    pub inputs: Vec<TensorMetadata>,
    pub outputs: Vec<TensorMetadata>,
    parameters: ContentType,
}

/// An input or output.
#[derive(Serialize)]
pub struct TensorMetadata {
    pub name: String,
    pub datatype: &'static str,
    pub shape: [i64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<ContentType>,
}

#[derive(Serialize)]
struct ContentType {
    content_type: &'static str,
}

impl TensorMetadata {
    fn new(name: &str, datatype: Datatype, columns: usize) -> Self {
        let is_text = datatype == Datatype::Bytes;
        Self {
            name: name.to_owned(),
            datatype: datatype.name(),
            shape: [-1, i64::try_from(columns).unwrap_or(-1)],
            parameters: is_text.then_some(ContentType { content_type: "str" }),
        }
    }
}

impl ModelMetadata {
    /// The features are its inputs, a column each.
    pub fn of(target: &Target) -> Self {
        let inputs = target.declared();
        let outputs = target.outputs();
        Self {
            name: target.name().to_owned(),
            versions: target.version().map(str::to_owned).into_iter().collect(),
            platform: target.platform(),
            inputs: inputs.iter().map(|input| TensorMetadata::new(input.name, input.datatype, 1)).collect(),
            outputs: outputs
                .iter()
                .map(|&(name, datatype, columns)| TensorMetadata::new(name, datatype, columns))
                .collect(),
            parameters: ContentType { content_type: "pd" },
        }
    }
}

/// A model in the index of the repository.
#[derive(Serialize)]
pub struct IndexEntry {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub state: &'static str,
    pub reason: &'static str,
}

impl IndexEntry {
    /// All models, or those alone that are ready.
    pub fn all(state: &ApiState, only_ready: bool) -> Vec<Self> {
        let listed = state.0.models.listed().into_iter().filter(|listed| listed.is_ready || !only_ready);
        let entry = |Listed { name, version, is_ready }| Self {
            name,
            version,
            state: if is_ready { "READY" } else { "UNAVAILABLE" },
            reason: "",
        };
        listed.map(entry).collect()
    }
}
