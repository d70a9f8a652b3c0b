//! A trained version as the files of an MLflow model directory, which MLflow's `pyfunc` loads.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use streamflow_model::{Feature, Kind, Model, Task};

use crate::random::hex;

/// The release of MLflow whose directories these are.
pub const MLFLOW: &str = "3.17.2";
pub const PYTHON: &str = "3.11";

/// The files of the directory.
pub fn files(model: &Model, onnx: Vec<u8>, run: &str, now: Timestamp) -> Vec<(&'static str, Vec<u8>)> {
    let features = &model.schema().features;
    let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
    let values: Vec<Value> = features.iter().map(example).collect();
    let split = json!({ "columns": names, "data": [values] });
    let serving = json!({ "dataframe_split": split });
    let text = |text: &str| text.as_bytes().to_vec();
    let mut files = environment(&["onnx", "onnxruntime"]);
    files.extend([
        ("MLmodel", mlmodel(model, &onnx, run, now).into_bytes()),
        ("input_example.json", text(&split.to_string())),
        ("serving_input_example.json", text(&serving.to_string())),
        ("model.onnx", onnx),
    ]);
    files
}

/// The files that say what Python needs to load the model beside MLflow.
pub fn environment(packages: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
    let lines = |before: &str| packages.iter().map(|name| format!("{before}{name}\n")).collect::<String>();
    let conda = format!(
        "channels:\n- conda-forge\ndependencies:\n- python={PYTHON}\n- pip\n- pip:\n  - mlflow=={MLFLOW}\n{}name: mlflow-env\n",
        lines("  - ")
    );
    let python =
        format!("python: '{PYTHON}'\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n");
    vec![
        ("requirements.txt", format!("mlflow=={MLFLOW}\n{}", lines("")).into_bytes()),
        ("python_env.yaml", python.into_bytes()),
        ("conda.yaml", conda.into_bytes()),
    ]
}

/// A value of the feature's type.
fn example(feature: &Feature) -> Value {
    match &feature.kind {
        Kind::Numerical => json!(1.0),
        Kind::Categorical { levels } => json!(levels.first().map_or("", |level| level.name.as_str())),
    }
}

/// The signature, of tensors: MLflow makes one of each column of a frame, whatever type pandas gave it, and hands all
/// outputs on as they are.
fn signature(model: &Model) -> [Value; 2] {
    let tensor = |name: &str, element: &str, shape: &[i64]| json!({ "type": "tensor", "name": name, "tensor-spec": { "dtype": element, "shape": shape } });
    let input = |feature: &Feature| {
        let element = if matches!(feature.kind, Kind::Numerical) { "float64" } else { "str" };
        tensor(&feature.name, element, &[-1])
    };
    let outputs = match model.task() {
        Task::Binary => {
            vec![tensor("label", "int64", &[-1]), tensor("probabilities", "float32", &[-1, 2])]
        }
        Task::Multiclass => {
            let classes = model.classes().len() as i64;
            vec![tensor("label", "str", &[-1]), tensor("probabilities", "float32", &[-1, classes])]
        }
        Task::Regression => vec![tensor("variable", "float32", &[-1, 1])],
    };
    [model.schema().features.iter().map(input).collect(), Value::Array(outputs)]
}

fn mlmodel(model: &Model, onnx: &[u8], run: &str, now: Timestamp) -> String {
    let [inputs, outputs] = signature(model);
    let quoted = |value: &Value| value.to_string().replace('\'', "''");
    let uuid = hex(&Sha256::digest([onnx, run.as_bytes()].concat())[..16]);
    format!(
        "artifact_path: model\n\
         flavors:\n  \
           onnx:\n    code: null\n    data: model.onnx\n    onnx_version: 1.23.2\n    providers:\n    - CPUExecutionProvider\n  \
           python_function:\n    data: model.onnx\n    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n    \
             loader_module: mlflow.onnx\n    python_version: {PYTHON}.0\n\
         mlflow_version: {MLFLOW}\n\
         model_size_bytes: {}\n\
         model_uuid: {uuid}\n\
         run_id: {run}\n\
         saved_input_example_info:\n  artifact_path: input_example.json\n  pandas_orient: split\n  \
           serving_input_path: serving_input_example.json\n  type: dataframe\n\
         signature:\n  inputs: '{}'\n  outputs: '{}'\n  params: null\n\
         utc_time_created: '{}'\n",
        onnx.len(),
        quoted(&inputs),
        quoted(&outputs),
        now.strftime("%Y-%m-%d %H:%M:%S%.6f"),
    )
}
