//! An imported version as the files of an MLflow model directory, in the flavour of the library that made it.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use streamflow_inference::Format;
use streamflow_model::Import;

use super::directory::{MLFLOW, PYTHON, environment};
use crate::random::hex;

/// How MLflow calls, keeps and loads the files of a library.
#[derive(Debug, PartialEq)]
pub struct Flavor {
    name: &'static str,
    /// The file, by whose name the library tells what it holds.
    file: &'static str,
    /// What the flavour says beside the file.
    keys: &'static [(&'static str, &'static str)],
    packages: &'static [&'static str],
}

/// The flavour of a format of model files, as [`Format`] is written.
///
/// # Errors
/// A sentence, of a format that no flavour reads.
pub fn flavor(format: &str) -> Result<Flavor, String> {
    let is = |known: Format| format == known.to_string();
    let xgboost = |file, keys| Flavor { name: "xgboost", file, keys, packages: &["xgboost"] };
    if is(Format::XgboostUbj) {
        let keys =
            &[("model_class", "xgboost.core.Booster"), ("model_format", "ubj"), ("xgb_version", "3.2.0")];
        return Ok(xgboost("model.ubj", keys));
    }
    if is(Format::XgboostJson) {
        let keys =
            &[("model_class", "xgboost.core.Booster"), ("model_format", "json"), ("xgb_version", "3.2.0")];
        return Ok(xgboost("model.json", keys));
    }
    if is(Format::LightgbmText) {
        let keys = &[("lgb_version", "4.7.0"), ("model_class", "lightgbm.basic.Booster")];
        return Ok(Flavor { name: "lightgbm", file: "model.lgb", keys, packages: &["lightgbm"] });
    }
    if is(Format::Onnx) {
        let keys = &[("onnx_version", "1.23.2"), ("providers", "[CPUExecutionProvider]")];
        return Ok(Flavor { name: "onnx", file: "model.onnx", keys, packages: &["onnx", "onnxruntime"] });
    }
    Err(format!("it was imported as {format}, which no flavour of MLflow reads"))
}

impl Flavor {
    /// The files of the directory: the model's as it came.
    pub fn files(&self, import: &Import, run: &str, now: Timestamp) -> Vec<(&'static str, Vec<u8>)> {
        let mut files = environment(self.packages);
        files.push(("MLmodel", self.mlmodel(import, run, now).into_bytes()));
        files.push((self.file, import.file().to_vec()));
        files
    }

    /// Without a signature: frames go to the library as they are, whose own names and types hold.
    fn mlmodel(&self, import: &Import, run: &str, now: Timestamp) -> String {
        let Self { name, file, keys, .. } = self;
        let bytes = import.file();
        let uuid = hex(&Sha256::digest([bytes, run.as_bytes()].concat())[..16]);
        let keys: String = keys.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
        format!(
            "artifact_path: model\n\
             flavors:\n  \
               {name}:\n    code: null\n    data: {file}\n{keys}  \
               python_function:\n    data: {file}\n    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n    \
                 loader_module: mlflow.{name}\n    python_version: {PYTHON}.0\n\
             mlflow_version: {MLFLOW}\n\
             model_size_bytes: {}\n\
             model_uuid: {uuid}\n\
             run_id: {run}\n\
             utc_time_created: '{}'\n",
            bytes.len(),
            now.strftime("%Y-%m-%d %H:%M:%S%.6f"),
        )
    }
}

/// What a run says of an import.
pub fn parameters(import: &Import) -> Vec<(String, String)> {
    let record = &import.record;
    let mut parameters = vec![
        ("imported".to_owned(), "true".to_owned()),
        ("file".to_owned(), record.file.clone()),
        ("format".to_owned(), record.format.clone()),
        ("objective".to_owned(), record.objective.clone()),
        ("features".to_owned(), record.features.len().to_string()),
        ("task".to_owned(), import.model.task().to_string()),
    ];
    parameters.extend(record.trees.map(|trees| ("trees".to_owned(), trees.to_string())));
    let until = record.trained_until.clone().unwrap_or_else(|| "unknown".to_owned());
    parameters.push(("trained_until".to_owned(), until));
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_the_flavour_of_its_library() {
        let check = |format: Format, expected: Result<(&str, &str), &str>| match (
            flavor(&format.to_string()),
            expected,
        ) {
            (Ok(found), Ok(expected)) => assert_eq!((found.name, found.file), expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, _) => panic!("{found:?}"),
        };
        check(Format::XgboostUbj, Ok(("xgboost", "model.ubj")));
        check(Format::XgboostJson, Ok(("xgboost", "model.json")));
        check(Format::LightgbmText, Ok(("lightgbm", "model.lgb")));
        check(Format::Onnx, Ok(("onnx", "model.onnx")));
        check(Format::CatboostJson, Err("CatBoost JSON, which no flavour of MLflow reads"));
    }
}
