//! The model file of an MLflow model directory, found by its flavours, bounded in size, kept in the data directory.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use streamflow_inference::MAX_FILE_BYTES;

use super::reference::{Found, tag};
use super::server::{CallError, Entry, Server};
use crate::files::write_aside;
use crate::model_file::ModelFile;
use crate::random::hex;

/// Largest `MLmodel`.
const MLMODEL_BYTES_MAX: u64 = 1 << 20;
/// What describes a model directory.
const MLMODEL: &str = "MLmodel";

/// Downloads the file of a model below `folder`, unless it is there, and reads it.
///
/// # Errors
/// A model of a kind that is not evaluated, with the line of Python that converts it; a file that is too large, or not the
/// one that was registered.
pub async fn download(server: &Server, found: &Found, folder: &Path) -> Result<ModelFile, CallError> {
    let entries = server.list(&found.root, &found.path).await?;
    let (path, entry) = match entries.iter().any(|entry| entry.name == MLMODEL) {
        true => {
            let text = server.download(&found.root, &below(&found.path, MLMODEL), MLMODEL_BYTES_MAX).await?;
            let name = file_of(&String::from_utf8_lossy(&text), &found.identity)?;
            (below(&found.path, &name), entries.into_iter().find(|entry| entry.name == name))
        }
        false if entries.is_empty() && found.path.contains('.') => (found.path.clone(), None),
        false => {
            return Err(CallError::Missing(format!(
                "{} has no {MLMODEL} in MLflow; expected a folder that `mlflow.FLAVOR.log_model` wrote, or the path of a model file",
                found.identity
            )));
        }
    };
    if let Some(Entry { size_bytes: Some(size), .. }) = entry
        && size > MAX_FILE_BYTES
    {
        return Err(CallError::Refused(format!(
            "{path} of {} has {size} bytes; a model file may have {MAX_FILE_BYTES}",
            found.identity
        )));
    }
    let bytes = server.download(&found.root, &path, MAX_FILE_BYTES).await?;
    let sum = hex(&Sha256::digest(&bytes));
    if found.tags.get(tag::SHA256).is_some_and(|expected| *expected != sum) {
        return Err(CallError::Refused(format!(
            "{path} of {} has the SHA-256 {sum}, and was registered with another; register the model again",
            found.identity
        )));
    }
    let place = place(folder, &found.identity, &path);
    let (to, kept) = (place.clone(), bytes.clone());
    let written = tokio::task::spawn_blocking(move || write_aside(&to, &kept)).await;
    match written {
        Ok(Ok(())) => Ok(ModelFile { path: place, bytes }),
        Ok(Err(error)) => Err(CallError::Lost(format!("cannot write {}: {error}", place.display()))),
        Err(error) => Err(CallError::Lost(error.to_string())),
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Where a file is kept: one folder for each model, its name without what a path means.
fn place(folder: &Path, identity: &str, path: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let model: String = identity.chars().map(plain).take(120).collect();
    let file = path.rsplit('/').next().unwrap_or_default();
    folder.join(model).join(file)
}

/// The file of the first flavour that is evaluated.
fn file_of(mlmodel: &str, identity: &str) -> Result<String, CallError> {
    let flavors = flavors(mlmodel);
    let get = |name: &str| flavors.iter().find(|flavor| flavor.name == name);
    let refused = |what: &str, line: &str| {
        Err(CallError::Refused(format!(
            "{identity} is {what}, which is Python's own; log it so that it is read without: {line}"
        )))
    };
    let file = |flavor: &Flavor| match flavor.data.as_deref() {
        Some(data) if super::server::is_safe(data) => Ok(data.to_owned()),
        other => Err(CallError::Refused(format!(
            "{identity} names the file {:?}, which is no file of its folder; log the model again",
            other.unwrap_or_default()
        ))),
    };
    if let Some(flavor) = get("onnx").or_else(|| get("xgboost")) {
        return file(flavor);
    }
    if let Some(flavor) = get("lightgbm") {
        let is_text =
            flavor.data.as_deref().is_some_and(|data| data.ends_with(".lgb") || data.ends_with(".txt"));
        return match is_text {
            true => file(flavor),
            false => refused(
                "a LightGBM estimator as a pickle",
                "mlflow.lightgbm.log_model(model.booster_, name=\"model\")",
            ),
        };
    }
    if let Some(flavor) = get("catboost") {
        return match flavor.data.as_deref().is_some_and(|data| data.ends_with(".json")) {
            true => file(flavor),
            false => refused(
                "a CatBoost model in its binary form",
                "model.save_model(\"model.json\", format=\"json\"); mlflow.log_artifact(\"model.json\"), served as runs:/RUN_ID/model.json",
            ),
        };
    }
    let names = flavors.iter().map(|flavor| flavor.name.as_str());
    let names: Vec<&str> = names.filter(|name| *name != "python_function").collect();
    refused(
        &format!("a model of the flavours {}", names.join(", ")),
        "mlflow.onnx.log_model(skl2onnx.to_onnx(model, X[:1].astype(\"float32\"), options={\"zipmap\": False}), name=\"model\")",
    )
}

/// A flavour and its file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flavor {
    name: String,
    data: Option<String>,
}

/// The flavours of an `MLmodel`, which MLflow writes as YAML with a key a line.
fn flavors(mlmodel: &str) -> Vec<Flavor> {
    let mut found: Vec<Flavor> = Vec::new();
    let block = mlmodel.lines().skip_while(|line| *line != "flavors:").skip(1);
    for line in block.take_while(|line| line.starts_with(' ')) {
        let (key, value) = line.trim().split_once(':').unwrap_or((line.trim(), ""));
        let value = value.trim().trim_matches(['\'', '"']);
        match (line.len() - line.trim_start().len(), found.last_mut()) {
            (2, _) => found.push(Flavor { name: key.to_owned(), data: None }),
            (4, Some(flavor)) if matches!(key, "data" | "pickled_model") && !value.is_empty() => {
                flavor.data = Some(value.to_owned());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mlmodel(flavor: &str, data: &str) -> String {
        format!(
            "artifact_path: model\nflavors:\n  python_function:\n    data: {data}\n    env:\n      conda: conda.yaml\n    loader_module: mlflow.x\n  {flavor}:\n    code: null\n    data: {data}\nmodel_uuid: abc\n"
        )
    }

    #[test]
    fn the_file_is_that_of_a_flavour_that_is_evaluated() {
        for (flavor, data, expected) in [
            ("onnx", "model.onnx", Ok("model.onnx")),
            ("xgboost", "model.ubj", Ok("model.ubj")),
            ("lightgbm", "model.lgb", Ok("model.lgb")),
            ("catboost", "model.json", Ok("model.json")),
            ("lightgbm", "model.skops", Err("mlflow.lightgbm.log_model(model.booster_")),
            ("catboost", "model.cb", Err("format=\"json\"")),
            ("sklearn", "model.pkl", Err("skl2onnx.to_onnx")),
            ("onnx", "../../etc/passwd", Err("which is no file of its folder")),
            ("xgboost", "''", Err("which is no file of its folder")),
        ] {
            match (file_of(&mlmodel(flavor, data), "models:/churn/1"), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.contains(expected) && error.contains("models:/churn/1"), "{error}");
                }
                (found, _) => panic!("{flavor} {data}: {found:?}"),
            }
        }
        for text in ["", "flavors:", "flavors:\n  :\n    :", "flavors:\n    data: x\n", "\u{0}\n  a"] {
            assert!(file_of(text, "m").is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_kept_below_its_folder() {
        let place = place(Path::new("data/mlflow"), "models:/../../x/3", "model/model.onnx");
        assert_eq!(place, Path::new("data/mlflow/models________x_3/model.onnx"));
    }
}
