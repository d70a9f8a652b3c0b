//! What scenario files cannot show of the protocols of other model servers: gRPC, loading and unloading, keys, golden
//! models, bytes without a plan.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::civil::date;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use streamflow::api::NamedFile;
use streamflow::config::{ApiConfig, ApiKey, KeyDigest};

use super::client::Client;
use super::fixture::{MODEL_FILE, Server, serving, table};
use super::settings;

pub const INFER: &str = "ModelInfer";

#[derive(Clone, PartialEq, Message)]
pub struct Contents {
    #[prost(bool, repeated, tag = "1")]
    pub bools: Vec<bool>,
    #[prost(int64, repeated, tag = "3")]
    pub int64s: Vec<i64>,
    #[prost(float, repeated, tag = "6")]
    pub fp32s: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    pub fp64s: Vec<f64>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub texts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
    #[prost(message, optional, tag = "5")]
    pub contents: Option<Contents>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Infer {
    #[prost(string, tag = "1")]
    pub model: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(message, repeated, tag = "5")]
    pub inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "6")]
    pub outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub raw: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Inferred {
    #[prost(string, tag = "1")]
    pub model: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub raw: Vec<Vec<u8>>,
}

/// A message of two texts and a flag: what asks about a model, and the answers that have no numbers.
#[derive(Clone, PartialEq, Message)]
struct Texts {
    #[prost(string, tag = "1")]
    first: String,
    #[prost(string, tag = "2")]
    second: String,
}

fn column(name: &str, datatype: &str, contents: Contents, rows: i64) -> Tensor {
    Tensor { name: name.into(), datatype: datatype.into(), shape: vec![rows, 1], contents: Some(contents) }
}

fn hours(values: &[f64]) -> Tensor {
    column("hours", "FP64", Contents { fp64s: values.to_vec(), ..Contents::default() }, values.len() as i64)
}

fn plan(levels: &[&str]) -> Tensor {
    let texts = levels.iter().map(|level| level.as_bytes().to_vec()).collect();
    column("plan", "BYTES", Contents { texts, ..Contents::default() }, levels.len() as i64)
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The status, what it says, and the message of a call; `body` is a whole body of HTTP.
pub struct Called {
    pub status: u16,
    pub text: String,
    pub message: Bytes,
}

pub struct Grpc(hyper::client::conn::http2::SendRequest<Full<Bytes>>);

impl Grpc {
    pub async fn connect(address: std::net::SocketAddr) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub async fn call(&mut self, method: &str, message: &impl Message) -> Called {
        self.send(method, &[], frame(&message.encode_to_vec())).await
    }

    async fn send(&mut self, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Called {
        let path = format!("http://test/inference.GRPCInferenceService/{method}");
        let mut request =
            Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.0.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"application/grpc".parse().unwrap())
        );
        let head = response.headers().clone();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or(head);
        let text = |name| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = body.to_bytes();
        let message = if body.is_empty() { body } else { body.slice(5..) };
        Called { status: text("grpc-status").parse().unwrap(), text: text("grpc-message"), message }
    }
}

#[tokio::test]
async fn grpc_answers_as_rest_does() {
    let server = Server::of_files(settings(), &["churn"]).await;
    let mut grpc = Grpc::connect(server.grpc().await).await;
    for method in ["ServerLive", "ServerReady"] {
        assert_eq!(grpc.call(method, &Texts::default()).await.message, [8, 1][..], "{method}");
    }
    let of = |name: &str| Texts { first: name.into(), second: String::new() };
    assert_eq!(grpc.call("ModelReady", &of("churn")).await.message, [8, 1][..]);
    assert!(grpc.call("ModelReady", &of("nope")).await.message.is_empty());
    let metadata = grpc.call("ServerMetadata", &Texts::default()).await.message;
    assert_eq!(Texts::decode(metadata).unwrap().first, "streamflow");
    let metadata = Inferred::decode(grpc.call("ModelMetadata", &of("churn")).await.message).unwrap();
    assert_eq!((metadata.model.as_str(), metadata.id.as_str()), ("churn", "lightgbm"));

    let asked = Infer {
        model: "churn".into(),
        id: "a".into(),
        inputs: vec![plan(&["yearly", "monthly"]), hours(&[12.0, 45.5])],
        outputs: ["predict", "predict_proba"]
            .map(|name| Tensor { name: name.into(), ..Tensor::default() })
            .into(),
        ..Infer::default()
    };
    let answer = Inferred::decode(grpc.call(INFER, &asked).await.message).unwrap();
    assert_eq!((answer.model.as_str(), answer.id.as_str()), ("churn", "a"));
    let contents: Vec<Contents> =
        answer.outputs.iter().map(|output| output.contents.clone().unwrap()).collect();
    assert_eq!(contents[0].int64s, [1, 0]);
    assert_eq!(contents[1].fp64s[..2], [0.2689414213699951, 0.7310585786300049]);
    assert_eq!((answer.outputs[1].datatype.as_str(), &answer.outputs[1].shape[..]), ("FP64", &[2, 2][..]));

    // The same as bytes, packed, several at once on one connection.
    let raw = Infer {
        inputs: asked.inputs.iter().map(|input| Tensor { contents: None, ..input.clone() }).collect(),
        raw: vec![
            b"\x06\0\0\0yearly\x07\0\0\0monthly".to_vec(),
            [12.0_f64, 45.5].iter().flat_map(|value| value.to_le_bytes()).collect(),
        ],
        outputs: Vec::new(),
        ..asked
    };
    let message = super::front::packed(&raw.encode_to_vec());
    let body = [&[1][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    let calls = (0..20).map(|_| {
        let (mut grpc, body) = (Grpc(grpc.0.clone()), body.clone());
        tokio::spawn(async move { grpc.send(INFER, &[("grpc-encoding", "gzip")], body).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let answer = Inferred::decode(call.await.unwrap().message).unwrap();
        let expected: Vec<u8> = [1_i64, 0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(answer.raw, [expected]);
    }
    let metrics = Client::new(server.address).await.get("/metrics").await;
    let line = "api_protocol_responses_total{code=\"200\",protocol=\"grpc\"} 21.0";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
    server.stop().await;
}

#[tokio::test]
async fn what_grpc_refuses_has_a_code_and_a_sentence() {
    let server = Server::of_files(settings(), &["churn"]).await;
    let mut grpc = Grpc::connect(server.grpc().await).await;
    let sound =
        Infer { model: "churn".into(), inputs: vec![hours(&[1.0]), plan(&["a"])], ..Infer::default() };
    let with = |inputs| Infer { inputs, ..sound.clone() };
    let texts = Contents { texts: vec![b"\xff".to_vec()], ..Contents::default() };
    let short = Contents { fp32s: vec![1.0], ..Contents::default() };
    let cases = [
        (Infer { model: "nope".into(), ..sound.clone() }, 5, "Model nope not found"),
        (Infer { version: "7".into(), ..sound.clone() }, 5, "Model churn with version 7 not found"),
        (
            with(vec![hours(&[1.0])]),
            3,
            "feature \"plan\" is missing; the model takes 2 features: hours, plan",
        ),
        (
            with(vec![column("hours", "FP128", short.clone(), 1)]),
            3,
            "input \"hours\": datatype \"FP128\" is not known; expected 'BOOL'",
        ),
        (
            with(vec![column("hours", "FP64", short, 1)]),
            3,
            "input \"hours\": its contents are not those of FP64; expected them in fp64_contents",
        ),
        (with(vec![column("plan", "BYTES", texts, 1)]), 3, "input \"plan\": text 0 is not UTF-8"),
        (
            with(vec![Tensor { shape: vec![1 << 40, 1 << 40], ..hours(&[1.0]) }]),
            3,
            "does not have the 1 values of its data",
        ),
        (
            Infer { raw: vec![vec![0]], ..sound.clone() },
            3,
            "raw_input_contents has 1 entries for 2 inputs; expected one for each",
        ),
        (
            Infer { raw: vec![vec![0], vec![]], ..sound.clone() },
            3,
            "it has contents and raw_input_contents; expected one of them",
        ),
        (with(vec![Tensor::default(); 1024]), 3, "input \"\": datatype \"\" is not known"),
    ];
    for (message, status, part) in cases {
        let called = grpc.call(INFER, &message).await;
        assert_eq!(called.status, status, "{}", called.text);
        assert!(called.text.contains(part), "{} for {part}", called.text);
    }
    let message = sound.encode_to_vec();
    for (method, headers, body, status, part) in [
        ("Nothing", &[][..], frame(&message), 12, "no such method: Nothing"),
        (INFER, &[], message.clone(), 3, "the body is no single gRPC message: its length is another"),
        (INFER, &[], vec![0, 0], 3, "its five bytes of flag and length are cut off"),
        (INFER, &[], frame(&[0xff; 9]), 3, "the message is no sound protobuf"),
        (INFER, &[("grpc-encoding", "zstd")], [&[1], &frame(&message)[1..]].concat(), 12, "got zstd"),
        (
            INFER,
            &[],
            frame(&[0; 5000]),
            8,
            "the body is over the limit of 4096 bytes; send less in one request",
        ),
        (
            "RepositoryModelUnload",
            &[],
            frame(b"\x12\x05churn"),
            7,
            "models are not loaded or unloaded by everybody",
        ),
    ] {
        let called = grpc.send(method, headers, body).await;
        assert_eq!((called.status, called.text.contains(part)), (status, true), "{method}: {}", called.text);
    }
    server.stop().await;
}

/// 10,000 empty tensors are 20,000 bytes on the wire.
#[tokio::test]
async fn a_message_of_empty_tensors_is_not_taken_apart() {
    let limit = NonZeroUsize::new(1 << 20).unwrap();
    let server =
        Server::of_files(ApiConfig { batch_body_limit_bytes: limit, ..settings() }, &["churn"]).await;
    let mut grpc = Grpc::connect(server.grpc().await).await;
    let called = grpc.send(INFER, &[], frame(&[0x2a, 0].repeat(500_000))).await;
    assert_eq!(called.status, 3);
    assert_eq!(called.text, "the message has 500000 inputs and outputs; expected at most 10000");
    server.stop().await;
}

/// A file of a model in a folder of its own.
fn model_file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("churn.txt");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_model_is_unloaded_and_read_again_while_it_is_asked() {
    let (_folder, path) = model_file(MODEL_FILE);
    let files = vec![NamedFile::read(path.to_str().unwrap()).unwrap()];
    let server = Server::of_named(ApiConfig { allow_load: true, ..settings() }, files).await;
    let mut grpc = Grpc::connect(server.grpc().await).await;
    let body = r#"{"inputs":[{"name":"hours","shape":[1],"datatype":"FP64","data":[1]},{"name":"plan","shape":[1],"datatype":"BYTES","data":["yearly"]}]}"#;
    let infer = "/v2/models/churn/infer";
    let address = server.address;
    let asking = tokio::spawn(async move {
        let mut client = Client::new(address).await;
        let mut seen = [0; 2];
        while seen[1] < 20 {
            let answer = client.post(infer, body).await;
            match answer.status {
                200 => seen[0] += 1,
                404 => seen[1] += 1,
                other => panic!("{other}: {}", answer.text()),
            }
        }
        seen
    });
    let mut client = Client::new(server.address).await;
    while client.post(infer, body).await.status != 200 {}
    let repository = |verb: &str| format!("/v2/repository/models/churn/{verb}");
    assert_eq!(client.post(&repository("unload"), "").await.status, 200);
    assert!(asking.await.unwrap()[1] == 20, "requests are answered or refused, never broken");
    for (request, status) in [
        ("GET /v2/models/churn", 404),
        ("GET /v2/models/churn/ready", 404),
        ("GET /v2/health/ready", 503),
        ("GET /ready", 503),
        ("POST /predict", 404),
        ("POST /v2/repository/models/churn/unload", 404),
        ("POST /v2/repository/models/nope/load", 404),
        ("POST /v2/repository/models/nope/unload", 404),
    ] {
        let answer = client.send(request, &[("content-type", "application/json")], b"{}").await;
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
    }
    let index = client.post("/v2/repository/index", "{}").await.json();
    assert_eq!(index, json!([{ "name": "churn", "state": "UNAVAILABLE", "reason": "" }]));
    assert_eq!(client.post("/v2/repository/index", "{\"ready\": true}").await.json(), json!([]));

    // Another model in the file, and what is none.
    std::fs::write(&path, MODEL_FILE.replace("leaf_value=1 -1", "leaf_value=-1 1")).unwrap();
    assert_eq!(client.post(&repository("load"), "{\"parameters\": {}}").await.status, 200);
    let value = |answer: Value| answer["outputs"][0]["data"][0].clone();
    assert_eq!(value(client.post(infer, body).await.json()), 0);
    std::fs::write(&path, "hello").unwrap();
    let refused = client.post(&repository("load"), "").await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("Model churn cannot be loaded: this is no model file"),
        "{}",
        refused.text()
    );
    assert_eq!(value(client.post(infer, body).await.json()), 0, "the one of before stays");
    std::fs::write(&path, MODEL_FILE).unwrap();
    // As Triton's clients name it, and as KServe's.
    assert_eq!(
        grpc.call("RepositoryModelLoad", &Texts { first: String::new(), second: "churn".into() })
            .await
            .status,
        0
    );
    assert_eq!(value(client.post(infer, body).await.json()), 1);
    assert_eq!(
        grpc.call("RepositoryModelUnload", &Texts { first: "churn".into(), second: String::new() })
            .await
            .status,
        0
    );
    let index = grpc.call("RepositoryIndex", &Texts::default()).await.message;
    assert!(index.windows(11).any(|part| part == b"UNAVAILABLE"));
    server.stop().await;
}

#[tokio::test]
async fn two_models_of_one_name_and_names_that_no_path_has_are_refused() {
    let (_folder, path) = model_file(MODEL_FILE);
    let path = path.to_str().unwrap();
    let read = |text: &str| NamedFile::read(text).map(|file| file.model.name);
    assert_eq!(read(path).unwrap(), "churn");
    assert_eq!(read(&format!("a b={path}")).unwrap(), "a b");
    for (text, part) in [
        (format!("batch={path}"), "the name batch is that of the route /predict/batch"),
        (format!("a/b={path}"), "\"a/b\" is no name of a model"),
        (format!("={path}"), "\"\" is no name of a model"),
        ("a=none.txt".to_owned(), "cannot read none.txt"),
    ] {
        let error = format!("{:#}", read(&text).unwrap_err());
        assert!(error.contains(part), "{error}");
    }
    let twice = [path, &format!("churn={path}")].map(|text| NamedFile::read(text).unwrap());
    let error = streamflow::api::ApiState::of_files(settings(), twice.into()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "two models have the name \"churn\"; give one of them another: --model NAME=FILE"
    );
}

#[tokio::test]
async fn the_registrys_version_is_not_unloaded() {
    let settings = ApiConfig {
        protocols: Some(streamflow::config::Protocol::ALL.to_vec()),
        allow_load: true,
        ..settings()
    };
    let server = Server::start(settings, Some(serving(&table(), "1", date(2024, 1, 31)))).await;
    let mut client = Client::new(server.address).await;
    let answer = client.post("/v2/repository/models/churn/unload", "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("is the registry's version in production"), "{}", answer.text());
    assert_eq!(client.post("/v2/repository/models/churn/load", "").await.status, 200);
    assert_eq!(client.post("/v2/repository/models/nope/unload", "").await.status, 404);
    server.served.store(None);
    for (request, status) in [
        ("GET /v2/health/ready", 503),
        ("GET /v2/models/churn", 503),
        ("GET /ping", 503),
        ("POST /v1/models/churn:predict", 503),
    ] {
        assert_eq!(client.send(request, &[], b"{}").await.status, status, "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn keys_are_those_of_the_other_routes_and_one_of_them_may_load() {
    let key = |text: &str, may_load| ApiKey {
        sha256: KeyDigest::of(text.as_bytes()),
        per_second: None,
        may_load,
        may_label: false,
        may_push: false,
    };
    let slow = ApiKey { per_second: NonZeroU32::new(1), ..key("slow", false) };
    let keys = [("shop", key("shop", false)), ("ops", key("ops", true)), ("slow", slow)];
    let keys = keys.map(|(name, key)| (name.to_owned(), key)).into();
    let server = Server::of_files(ApiConfig { keys, ..settings() }, &["churn"]).await;
    let mut client = Client::new(server.address).await;
    let infer = "POST /v2/models/churn/infer";
    let load = "POST /v2/repository/models/churn/load";
    for (request, key, status) in [
        (infer, "", 401),
        (infer, "other", 401),
        (infer, "shop", 422),
        (infer, "slow", 422),
        (infer, "slow", 429),
        ("POST /v1/models/churn:predict", "", 401),
        ("POST /invocations", "", 401),
        ("POST /v2/repository/index", "", 401),
        (load, "", 401),
        (load, "shop", 403),
        (load, "ops", 200),
        ("POST /v2/repository/models/churn/unload", "shop", 403),
        ("GET /v2/health/ready", "", 200),
    ] {
        let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &[("x-api-key", key)] };
        let answer = client.send(request, headers, b"{}").await;
        assert_eq!(answer.status, status, "{request} {key}: {}", answer.text());
    }
    let mut grpc = Grpc::connect(server.grpc().await).await;
    let message = frame(
        &Infer { model: "churn".into(), inputs: vec![hours(&[1.0]), plan(&["a"])], ..Infer::default() }
            .encode_to_vec(),
    );
    for (key, status) in [("other", 16), ("shop", 0)] {
        let called = grpc.send(INFER, &[("authorization", &format!("Bearer {key}"))], message.clone()).await;
        assert_eq!(called.status, status, "{}", called.text);
    }
    let metrics = client.get("/metrics").await;
    for line in [
        "api_key_responses_total{code=\"200\",key=\"shop\"} 1.0",
        "api_key_responses_total{code=\"429\",key=\"slow\"} 1.0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
    }
    server.stop().await;
}

/// The golden rows of a model as columns of the v2 protocol, and what the library answers to them.
fn golden(folder: &Path) -> (Value, Value) {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let text = std::fs::read_to_string(folder.join("input.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let columns = names.iter().enumerate().map(|(at, name)| {
        let texts: Vec<&str> = rows.iter().map(|row| row[at]).collect();
        let is_number = texts.iter().all(|text| text.is_empty() || text.parse::<f64>().is_ok());
        let data: Vec<Value> = texts
            .iter()
            .map(|text| match text.parse::<f64>() {
                _ if text.is_empty() => Value::Null,
                Ok(number) if is_number => json!(number),
                _ => json!(text),
            })
            .collect();
        if texts.iter().all(|text| matches!(*text, "True" | "False")) {
            let data: Vec<bool> = texts.iter().map(|text| *text == "True").collect();
            return json!({ "name": name, "shape": [rows.len()], "datatype": "BOOL", "data": data });
        }
        let datatype = if is_number { "FP64" } else { "BYTES" };
        json!({ "name": name, "shape": [rows.len(), 1], "datatype": datatype, "data": data })
    });
    let outputs = json!([{ "name": "predict" }, { "name": "predict_proba" }]);
    (json!({ "inputs": columns.collect::<Vec<_>>(), "outputs": outputs }), expected)
}

#[tokio::test]
async fn golden_models_answer_over_v2_as_their_libraries_do() {
    let Some(shared) = std::env::var_os("STREAMFLOW_SHARED").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "STREAMFLOW_SHARED is needed");
        eprintln!("SKIPPED: golden models over v2, since STREAMFLOW_SHARED is not set");
        return;
    };
    let large = NonZeroUsize::new(1 << 20).unwrap();
    for (name, file) in [
        ("xgb_course_json", "model.json"),
        ("lgb_course_cat", "model.txt"),
        ("cat_course", "model.json"),
        ("onnx_course_logreg", "model.onnx"),
        ("xgb_multi_softprob", "model.ubj"),
    ] {
        let folder = shared.join("golden/models").join(name);
        let files = vec![NamedFile::read(&format!("m={}", folder.join(file).display())).unwrap()];
        let limits = ApiConfig { batch_body_limit_bytes: large, batch_limit: large, ..ApiConfig::default() };
        let server = Server::of_named(limits, files).await;
        let (body, expected) = golden(&folder);
        let answer = Client::new(server.address).await.post("/v2/models/m/infer", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let answer = answer.json();
        assert_eq!(answer["outputs"][0]["data"], expected["outputs"]["label"], "{name}");
        let probabilities = expected["outputs"]["probability"].as_array().unwrap().iter();
        let probabilities = probabilities.flat_map(|row| row.as_array().unwrap());
        let tolerance = &expected["tolerance"]["other"];
        let [absolute, relative] = ["abs", "rel"].map(|kind| tolerance[kind].as_f64().unwrap());
        let given = answer["outputs"][1]["data"].as_array().unwrap();
        assert_eq!(given.len(), probabilities.clone().count(), "{name}");
        for (given, expected) in given.iter().zip(probabilities) {
            let (given, expected) = (given.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!(
                (given - expected).abs() <= absolute + relative * expected.abs(),
                "{name}: {given} {expected}"
            );
        }
        server.stop().await;
    }
}

/// Bodies that are nearly sound, and bytes.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let sound = r#"{"id":"a","parameters":{"content_type":"pd"},"inputs":[{"name":"hours","shape":[2,1],"datatype":"FP64","data":[1,2]},{"name":"plan","shape":[2],"datatype":"BYTES","data":["a",null]}],"instances":[[1,"a"]],"dataframe_split":{"columns":["hours"],"data":[[1]]}}"#;
    let damaged = prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, ".{0,4}"), 0..5).prop_map(
        |splices| {
            let mut bytes = sound.as_bytes().to_vec();
            for (at, removed, inserted) in splices {
                let start = at.index(bytes.len() + 1);
                let end = (start + removed).min(bytes.len());
                bytes.splice(start..end, inserted.into_bytes());
            }
            bytes
        },
    );
    prop_oneof![damaged, prop::collection::vec(any::<u8>(), 0..200)]
}

/// The status and text of a body's answers by every way of every protocol.
async fn ask_all(address: std::net::SocketAddr, grpc: std::net::SocketAddr, body: &[u8]) {
    let mut client = Client::new(address).await;
    let length = (body.len() / 2).to_string();
    let json = ("content-type", "application/json");
    for (path, headers) in [
        ("/v2/models/churn/infer", &[json][..]),
        ("/v2/models/churn/infer", &[("inference-header-content-length", length.as_str())]),
        ("/v1/models/churn:predict", &[]),
        ("/invocations", &[json]),
        ("/invocations", &[("content-type", "text/csv")]),
        ("/predict/batch", &[json]),
        ("/v2/repository/index", &[]),
    ] {
        let answer = client.send(&format!("POST {path}"), headers, body).await;
        assert!(
            matches!(answer.status, 200 | 400 | 413 | 422),
            "{path} {}: {}",
            answer.status,
            answer.text()
        );
        answer.json();
    }
    let mut grpc = Grpc::connect(grpc).await;
    for body in [frame(body), body.to_vec()] {
        for method in [INFER, "ModelMetadata", "RepositoryIndex"] {
            let called = grpc.send(method, &[], body.clone()).await;
            assert!(matches!(called.status, 0 | 3 | 5 | 8), "{method} {}: {}", called.status, called.text);
        }
    }
}

#[test]
fn no_body_is_an_internal_error_in_any_protocol() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::of_files(settings(), &["churn"]));
    let (address, grpc) = (server.address, runtime.block_on(server.grpc()));
    proptest!(ProptestConfig::with_cases(300), |(body in bodies())| {
        runtime.block_on(ask_all(address, grpc, &body));
    });
    runtime.block_on(server.stop());
}
