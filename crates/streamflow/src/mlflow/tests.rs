//! What goes wrong with a server: each of these answers is one that a real server is not made to give. A real server is
//! asked by `tools/interop/mlflow.py`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use streamflow_dataset::Period;
use streamflow_model::{FeatureColumn, Features, Labels, TrainSettings};
use tokio::net::TcpListener;

use super::connection::Limits;
use super::download::download;
use super::reference::{Found, Reference, tag};
use super::*;
use crate::random::hex;
use crate::registry::NewModel;
use crate::store::models::By;
use crate::store::temporary;

type Seen = Arc<Mutex<Vec<String>>>;

/// Listens on a free port, keeps "METHOD path?query" of each request and answers as `answer` says.
async fn listen(
    answer: impl Fn(&str) -> (u16, Vec<u8>) + Clone + Send + Sync + 'static,
) -> (Connection, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let router = Router::new().fallback(async move |request: Request| {
        let uri = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let line = format!("{} {}", request.method(), uri.replace("/api/2.0/", ""));
        kept.lock().unwrap().push(line.clone());
        let (status, body) = answer(&line);
        (StatusCode::from_u16(status).unwrap(), Body::from(body))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (connection(&format!("http://{address}")), seen)
}

fn connection(url: &str) -> Connection {
    let short = Duration::from_millis(500);
    Connection {
        url: url.parse().unwrap(),
        credentials: streamflow_outbound::Credentials::None,
        experiment: "churn".to_owned(),
        model: "streamflow_churn".to_owned(),
        limits: Limits { connect: short, request: short, file: short },
    }
}

const ROOT: &str = "mlflow-artifacts:/1/models/m-1/artifacts";
const FILES: &str = "mlflow-artifacts/artifacts/1/models/m-1/artifacts";

fn found(sha256: Option<String>) -> Found {
    let (root, path) = (ROOT.to_owned(), String::new());
    let tags = sha256.map(|sum| (tag::SHA256.to_owned(), sum)).into_iter().collect();
    Found { identity: "models:/churn/3".to_owned(), version: None, root, path, tags }
}

/// Downloads from a server that lists `files` and has `mlmodel`; the file is eight bytes.
async fn downloaded(
    files: &'static str,
    mlmodel: &'static str,
    sha256: Option<String>,
) -> Result<Vec<u8>, String> {
    let (connection, _) = listen(move |line| match line {
        line if line.starts_with("GET mlflow-artifacts/artifacts?path=") => {
            (200, format!("{{\"files\":[{files}]}}").into_bytes())
        }
        line if line == format!("GET {FILES}/MLmodel") => (200, mlmodel.as_bytes().to_vec()),
        line if line == format!("GET {FILES}/model.onnx") => (200, b"12345678".to_vec()),
        _ => (404, Vec::new()),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(&connection).unwrap();
    let file = download(&server, &found(sha256), folder.path()).await.map_err(|error| error.to_string())?;
    let kept = std::fs::read(&file.path).unwrap();
    assert!(file.path.starts_with(folder.path()) && kept == file.bytes);
    Ok(kept)
}

const LISTED: &str =
    r#"{"path":"MLmodel","is_dir":false,"file_size":9},{"path":"model.onnx","is_dir":false,"file_size":8}"#;
const ONNX: &str = "flavors:\n  onnx:\n    data: model.onnx\nmodel_uuid: a\n";

#[tokio::test]
async fn a_model_is_downloaded_or_it_is_said_what_helps() {
    let sum = hex(&Sha256::digest(b"12345678"));
    assert_eq!(downloaded(LISTED, ONNX, Some(sum)).await.as_deref(), Ok(&b"12345678"[..]));
    let large = r#"{"path":"MLmodel","file_size":9},{"path":"model.onnx","file_size":300000000}"#;
    let sklearn = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n";
    for (files, mlmodel, sum, expected) in [
        (LISTED, ONNX, Some("00".to_owned()), "was registered with another"),
        (large, ONNX, None, "has 300000000 bytes; a model file may have 268435456"),
        (r#"{"path":"../../evil","file_size":1}"#, ONNX, None, "which leaves its folder"),
        (LISTED, sklearn, None, "skl2onnx.to_onnx"),
        (LISTED, "flavors:\n  onnx:\n    data: ../x\n", None, "no file of its folder"),
        (LISTED, "flavors:\n  xgboost:\n    data: model.ubj\n", None, "with 404"),
        ("", ONNX, None, "has no MLmodel in MLflow"),
    ] {
        let error = downloaded(files, mlmodel, sum).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_a_server_does_not_have_is_named() {
    let unknown = |code: &str| json!({ "error_code": code, "message": "not found" }).to_string().into_bytes();
    let (connection, seen) = listen(move |line| match line {
        line if line.contains("registered-models/alias") => (400, unknown("INVALID_PARAMETER_VALUE")),
        line if line.contains("get-latest-versions") => (200, b"{}".to_vec()),
        line if line.contains("model-versions/get?") => (404, unknown("RESOURCE_DOES_NOT_EXIST")),
        _ => (200, b"<html>".to_vec()),
    })
    .await;
    let server = Server::new(&connection).unwrap();
    for (reference, expected) in [
        ("models:/churn@champion", "has no version with the alias \"champion\""),
        ("models:/churn/Production", "has no version in the stage \"Production\""),
        ("models:/churn/7", "not found"),
        ("runs:/abc/model", "is it an MLflow tracking server?"),
    ] {
        let error = reference.parse::<Reference>().unwrap().resolve(&server).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{reference}: {error}");
    }
    assert!(seen.lock().unwrap()[0].ends_with("alias?name=churn&alias=champion"));
}

/// A store and a registry with one trained version that waits.
async fn waiting() -> (tempfile::TempDir, Store, Registry) {
    let (dir, store) = temporary().await;
    let registry = Registry::new(store.clone(), dir.path());
    register(&registry, 1).await;
    store.mlflow_wait("churn", 1).await.unwrap();
    (dir, store, registry)
}

async fn register(registry: &Registry, seed: u64) {
    let rows = 400;
    let fee: Vec<f64> = (0..rows).map(|row| f64::from(row * 37 % 50)).collect();
    let labels = fee.iter().map(|fee| Some(*fee > 30.0)).collect();
    let users: Vec<String> = (0..rows).map(|row| format!("U{row:04}")).collect();
    let features = Features::new(vec![("fee".into(), FeatureColumn::Numerical(fee))]).unwrap();
    let settings =
        TrainSettings { seed, max_depths: vec![2], folds: 2, max_rounds: 5, ..TrainSettings::default() };
    let trained = streamflow_model::train(&features, &Labels::Binary(labels), &users, &settings).unwrap();
    let as_of: Period = "2024-01-31".parse().unwrap();
    registry.register("churn", NewModel { as_of, seed, trained, run: None }).await.unwrap();
}

/// What a server in good health says.
fn healthy(line: &str) -> (u16, Vec<u8>) {
    let version = json!({ "model_version": { "version": "5" } });
    let answer = match line {
        line if line.contains("experiments/") => json!({ "experiment": { "experiment_id": "1" } }),
        line if line.contains("runs/") => {
            json!({ "run": { "info": { "run_id": "abc", "artifact_uri": "mlflow-artifacts:/1/abc/artifacts" } } })
        }
        line if line.contains("registered-models/alias?") => {
            return (
                400,
                json!({ "error_code": "INVALID_PARAMETER_VALUE", "message": "alias" })
                    .to_string()
                    .into_bytes(),
            );
        }
        line if line.contains("model-versions/create") => version,
        _ => json!({}),
    };
    (200, answer.to_string().into_bytes())
}

/// The requests as "METHOD path", each once.
fn kinds(seen: &Seen) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for line in seen.lock().unwrap().iter() {
        *kinds.entry(line.split('?').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    kinds
}

#[tokio::test]
async fn a_training_is_told_whole_before_its_version_is_registered() {
    let (_dir, store, registry) = waiting().await;
    let (connection, seen) = listen(healthy).await;
    let sender = Sender::new(&connection, &store, &registry, "churn").unwrap();
    sender.catch_up().await.unwrap();
    sender.catch_up().await.unwrap();
    let lines = seen.lock().unwrap().clone();
    let place = |part: &str| {
        lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {lines:#?}"))
    };
    let last_upload = lines.iter().rposition(|line| line.starts_with("PUT ")).unwrap();
    assert!(place("runs/create") < place("runs/log-batch") && place("runs/log-batch") < last_upload);
    assert!(last_upload < place("runs/update") && place("runs/update") < place("model-versions/create"));
    assert!(
        lines.iter().any(|line| line == "PUT mlflow-artifacts/artifacts/1/abc/artifacts/model/model.onnx")
    );
    assert_eq!(kinds(&seen)["POST mlflow/model-versions/create"], 1, "it is told once");
    assert_eq!(
        kinds(&seen)["POST mlflow/registered-models/alias"],
        1,
        "the first version takes a free alias"
    );
    assert_eq!(
        (store.mlflow_backlog().await.unwrap(), store.mlflow_production("churn").await.unwrap()),
        (0, Some(1))
    );

    // A promotion of a version that waits is told after the version.
    register(&registry, 2).await;
    store.mlflow_wait("churn", 2).await.unwrap();
    registry.promote("churn", 2, By { actor: "anna", run: None }).await.unwrap();
    sender.catch_up().await.unwrap();
    assert_eq!(store.mlflow_production("churn").await.unwrap(), Some(2));
    assert_eq!(kinds(&seen)["POST mlflow/registered-models/alias"], 2);
}

#[tokio::test]
async fn nothing_is_registered_by_halves_and_what_was_missed_is_told_later() {
    fn broken(line: &str) -> (u16, Vec<u8>) {
        if line.starts_with("PUT ") { (500, b"disk full".to_vec()) } else { healthy(line) }
    }
    fn foreign_host(_: &str) -> (u16, Vec<u8>) {
        (403, b"Invalid Host header - possible DNS rebinding attack detected".to_vec())
    }
    fn unauthorised(_: &str) -> (u16, Vec<u8>) {
        (401, b"You are not authenticated".to_vec())
    }
    let (_dir, store, registry) = waiting().await;
    for (answer, expected) in [
        (broken as fn(&str) -> (u16, Vec<u8>), "disk full"),
        (foreign_host, "--allowed-hosts"),
        (unauthorised, "MLFLOW_TRACKING_USERNAME"),
    ] {
        let (connection, seen) = listen(answer).await;
        let sender = Sender::new(&connection, &store, &registry, "churn").unwrap();
        let error = sender.catch_up().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!kinds(&seen).contains_key("POST mlflow/model-versions/create"));
        assert_eq!(store.mlflow_backlog().await.unwrap(), 1, "it waits on");
    }
    // A server that takes connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let sender = Sender::new(&connection(&url), &store, &registry, "churn").unwrap();
    assert!(matches!(sender.catch_up().await, Err(CallError::Lost(_))));

    let (connection, seen) = listen(healthy).await;
    Sender::new(&connection, &store, &registry, "churn").unwrap().catch_up().await.unwrap();
    assert_eq!(store.mlflow_number("churn", 1).await.unwrap().as_deref(), Some("5"));
    assert!(!kinds(&seen).contains_key("POST mlflow/runs/create"), "the run of before goes on");
}

#[tokio::test]
async fn what_a_server_never_takes_is_given_up() {
    fn elsewhere(line: &str) -> (u16, Vec<u8>) {
        let (status, body) = healthy(line);
        let text = String::from_utf8(body).unwrap().replace("mlflow-artifacts:/", "s3://bucket/");
        (status, text.into_bytes())
    }
    let (_dir, store, registry) = waiting().await;
    let (connection, seen) = listen(elsewhere).await;
    Sender::new(&connection, &store, &registry, "churn").unwrap().catch_up().await.unwrap();
    assert_eq!(store.mlflow_backlog().await.unwrap(), 0);
    assert!(!kinds(&seen).contains_key("POST mlflow/model-versions/create"));
    assert_eq!(store.mlflow_number("churn", 1).await.unwrap(), None);
}
