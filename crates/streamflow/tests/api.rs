//! The prediction API against a real listener: scenario files, and what one request at a time cannot show.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "api/canary.rs"]
mod canary;
#[path = "api/client.rs"]
mod client;
#[path = "api/fixture.rs"]
mod fixture;
#[path = "api/front.rs"]
mod front;
#[path = "api/observed.rs"]
mod observed;
#[path = "api/protocols.rs"]
mod protocols;
#[path = "api/sent.rs"]
mod sent;
#[path = "api/tables.rs"]
mod tables;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;

use client::{Client, request_bytes};
use fixture::{Server, serving, table, table_of_integers, table_of_stores, user_id};
use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};
use streamflow::api::{FileModel, NamedFile};
use streamflow::config::{ApiConfig, Protocol};
use streamflow_dataset::{EntityKey, KeyPart};

/// Small limits, so that scenarios reach them.
fn settings() -> ApiConfig {
    ApiConfig {
        body_limit_bytes: NonZeroUsize::new(256).unwrap(),
        batch_body_limit_bytes: NonZeroUsize::new(4096).unwrap(),
        batch_limit: NonZeroUsize::new(100).unwrap(),
        ..ApiConfig::default()
    }
}

/// A file of requests with what has to be in their responses; see tests/scenarios/README.md.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    served: String,
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: String,
    headers: Option<toml::Table>,
    #[serde(default)]
    body: String,
    status: u16,
    #[serde(default)]
    response_headers: toml::Table,
    json: Option<String>,
    #[serde(default)]
    lines: Vec<String>,
}

#[tokio::test]
async fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let scenario: Scenario = toml::from_str(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let users = || Some(serving(&table(), "1", date(2024, 1, 31)));
        let with_protocols = || ApiConfig { protocols: Some(Protocol::ALL.to_vec()), ..settings() };
        let server = match scenario.served.as_str() {
            "users" => Server::start(settings(), users()).await,
            "users by all protocols" => Server::start(with_protocols(), users()).await,
            "integers" => {
                Server::start(settings(), Some(serving(&table_of_integers(), "1", date(2024, 1, 31)))).await
            }
            "stores" => {
                Server::start(settings(), Some(serving(&table_of_stores(), "1", date(2024, 1, 31)))).await
            }
            "nothing" => Server::start(settings(), None).await,
            "file" => Server::of_files(settings(), &["churn"]).await,
            "files" => Server::of_files(settings(), &["churn", "price"]).await,
            other => panic!("{}: served = {other:?}", file.display()),
        };
        for case in &scenario.case {
            run(&server, case, &format!("{}: {}", file.file_name().unwrap().display(), case.name)).await;
        }
        server.stop().await;
    }
}

async fn run(server: &Server, case: &Case, name: &str) {
    let default = toml::Table::from_iter([("content-type".to_owned(), "application/json".into())]);
    let headers = case.headers.as_ref().unwrap_or(&default);
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let response =
        Client::new(server.address).await.send(&case.request, &headers, case.body.as_bytes()).await;
    assert_eq!(response.status, case.status, "{name}: {}", response.text());
    for (header, expected) in &case.response_headers {
        assert_eq!(response.header(header), expected.as_str(), "{name}: {header}");
    }
    if let Some(expected) = &case.json {
        let expected: Value =
            serde_json::from_str(expected).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.header("content-type"), Some("application/json"), "{name}");
        if let Err(difference) = matches(&expected, &response.json()) {
            panic!("{name}: {difference} in {}", response.text());
        }
    }
    for line in &case.lines {
        assert!(
            response.text().lines().any(|found| found == line),
            "{name}: no line {line} in\n{}",
            response.text()
        );
    }
}

/// Objects may have more than is expected; lists may not. `"$number"` and `"$string"` stand for any.
fn matches(expected: &Value, found: &Value) -> Result<(), String> {
    match (expected, found) {
        (Value::String(any), Value::Number(_)) if any == "$number" => Ok(()),
        (Value::String(any), Value::String(_)) if any == "$string" => Ok(()),
        (Value::Object(expected), Value::Object(found)) => expected.iter().try_for_each(|(key, value)| {
            matches(value, found.get(key).ok_or(format!("no {key:?}"))?)
                .map_err(|error| format!("{key}: {error}"))
        }),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            expected.iter().zip(found).try_for_each(|(expected, found)| matches(expected, found))
        }
        _ if expected == found => Ok(()),
        _ => Err(format!("expected {expected}, got {found}")),
    }
}

#[tokio::test]
async fn contributions_sum_to_the_log_odds_of_the_answer() {
    let server = Server::loaded(settings()).await;
    let body = json!({ "entities": (0..3).map(user_id).collect::<Vec<_>>() }).to_string();
    let headers = [("content-type", "application/json")];
    let response = Client::new(server.address)
        .await
        .send("POST /predict/batch?explain=true", &headers, body.as_bytes())
        .await
        .json();
    for prediction in response["predictions"].as_array().unwrap() {
        let contributions = prediction["contributions"].as_object().unwrap().values();
        let sum: f64 = contributions.map(|value| value.as_f64().unwrap()).sum();
        let margin = prediction["base_value"].as_f64().unwrap() + sum;
        let probability = prediction["probability"].as_f64().unwrap();
        assert!((margin - (probability / (1.0 - probability)).ln()).abs() < 1e-6, "{prediction}");
    }
    server.stop().await;
}

/// A file that has the training rows of its leaves.
#[tokio::test]
async fn a_model_file_is_explained() {
    let text = fixture::MODEL_FILE.replace("leaf_value=1 -1\n", "leaf_value=1 -1\nleaf_count=30 10\n");
    let model = streamflow_inference::Model::read(text.as_bytes()).unwrap();
    let file = NamedFile { name: "churn".into(), model: FileModel::new("churn".into(), model), path: None };
    let server = Server::of_named(settings(), vec![file]).await;
    let headers = [("content-type", "application/json")];
    let one = br#"{"features": {"hours": 12, "plan": "yearly"}}"#;
    let response = Client::new(server.address).await.send("POST /predict?explain=true", &headers, one).await;
    let expected = json!({
        "margin": 1.0, "base_value": 0.5, "contributions": {"hours": 0.5, "plan": 0.0}, "contributions_scale": "log_odds",
    });
    assert_eq!(matches(&expected, &response.json()), Ok(()));
    let many = br#"{"columns": {"hours": [40], "plan": [null]}}"#;
    let response =
        Client::new(server.address).await.send("POST /predict/batch?explain=true", &headers, many).await;
    assert_eq!(response.json()["predictions"][0]["contributions"], json!({"hours": -1.5, "plan": 0.0}));
    server.stop().await;
}

/// The value of a sample without labels in the classic format.
async fn metric(server: &Server, name: &str) -> f64 {
    let response = Client::new(server.address).await.get("/metrics").await;
    let value = response.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{}", response.text())).parse().unwrap()
}

async fn wait_for(server: &Server, name: &str, value: f64) {
    while metric(server, name).await != value {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_prediction_is_the_models_own() {
    let server = Server::loaded(settings()).await;
    let serving = server.served.load_full().unwrap();
    let mut client = Client::new(server.address).await;
    let mut positives = 0;
    for row in 0..fixture::USERS {
        let response = client.post("/predict", &json!({ "user_id": user_id(row) }).to_string()).await.json();
        let entity = streamflow::serving::Entity {
            key: &serving.key,
            parts: vec![KeyPart::Text(user_id(row).into())],
        };
        let row_of = serving.features.find(&entity).unwrap();
        let answer = serving.model.answer(&serving.features.values(row_of)).unwrap();
        let streamflow_model::Answer::Probability(probability) = answer else { panic!("{answer:?}") };
        assert_eq!(response["probability"], json!(probability), "{response}");
        assert_eq!(
            response["prediction"],
            json!(u8::from(probability >= serving.model.threshold())),
            "{response}"
        );
        positives += response["prediction"].as_u64().unwrap();
    }
    assert!(
        positives > 0 && positives < fixture::USERS as u64,
        "a model that always says the same: {positives}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_batch_is_its_single_predictions_in_order() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    // Few enough to be answered at once, and enough to be answered on a blocking thread.
    for size in [0, 1, 5, 100] {
        let ids: Vec<String> = (0..size).map(|row| user_id(row * 31 % fixture::USERS)).collect();
        let batch = client.post("/predict/batch", &json!({ "entities": ids }).to_string()).await;
        assert_eq!(batch.status, 200, "{}", batch.text());
        let mut singles = Vec::new();
        for id in &ids {
            singles.push(client.post("/predict", &json!({ "user_id": id }).to_string()).await.json());
        }
        let expected = json!({
            "predictions": singles,
            "as_of": "2024-01-31",
            "model": { "name": "churn", "version": "1" },
        });
        assert_eq!(batch.json(), expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn every_request_to_predict_is_counted_and_timed() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    for (body, status) in [
        (r#"{"user_id":"U0001"}"#, 200),
        (r#"{"user_id":"U0001"}"#, 200),
        (r#"{"user_id":"?"}"#, 404),
        ("{}", 422),
        ("", 422),
    ] {
        assert_eq!(client.post("/predict", body).await.status, status);
    }
    assert_eq!(client.send("POST /predict", &[("content-type", "text/plain")], b"{}").await.status, 415);
    // Neither another method nor another path is a prediction.
    assert_eq!(client.get("/predict").await.status, 405);
    assert_eq!(client.post("/predict/batch", r#"{"entities":["U0001","?"]}"#).await.status, 200);
    let text = client.get("/metrics").await;
    for line in [
        "api_requests_total 6.0",
        "api_request_latency_seconds_count 6.0",
        "api_request_latency_seconds_bucket{le=\"+Inf\"} 6.0",
        "streamflow_request_duration_seconds_count 6.0",
        "streamflow_request_duration_seconds_bucket{le=\"10.0\"} 6.0",
        "api_responses_total{code=\"200\"} 2.0",
        "api_responses_total{code=\"404\"} 1.0",
        "api_responses_total{code=\"415\"} 1.0",
        "api_responses_total{code=\"422\"} 2.0",
        "api_batch_responses_total{code=\"200\"} 1.0",
        "api_requests_in_flight 0.0",
        "prediction_score_count 3.0",
        "model_info{name=\"churn\",version=\"1\"} 1.0",
        "features_as_of_timestamp_seconds 1.7066592e+09",
        "features_entities 200.0",
    ] {
        assert!(text.text().lines().any(|found| found == line), "no line {line} in\n{}", text.text());
    }
    assert!(!text.text().contains("U0001"), "an entity became a label");
    server.stop().await;
}

#[test]
fn a_table_of_other_types_than_the_models_is_refused() {
    let serving = serving(&table(), "1", date(2024, 1, 31));
    let mut changed = table();
    changed.columns[1].values = streamflow_dataset::Values::Boolean(vec![None; fixture::USERS]);
    let error = streamflow::serving::OnlineFeatures::for_model(
        &serving.model,
        changed.clone(),
        &EntityKey::new("user_id"),
    )
    .err()
    .unwrap();
    assert_eq!(
        error.to_string(),
        "the table does not fit the model: feature \"tenure_months\" is a boolean, \
         but the model was trained with it as numerical"
    );
    changed.columns.remove(1);
    let error = streamflow::serving::OnlineFeatures::for_model(
        &serving.model,
        changed.clone(),
        &EntityKey::new("user_id"),
    )
    .err()
    .unwrap();
    assert_eq!(error.to_string(), "the table has no column \"tenure_months\"");
}

/// While versions are swapped in, no request fails and none mixes two: the version is told by the features.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_under_load_is_seen_whole_or_not_at_all() {
    let version = |number: usize| {
        let mut table = table();
        let count = streamflow_dataset::Values::Integer(vec![Some(number as i64); fixture::USERS]);
        table.columns[1].values = count;
        let as_of = date(2024, 1, 1).checked_add(jiff::Span::new().days(number as i64)).unwrap();
        Some(Arc::new(serving(&table, &number.to_string(), as_of)))
    };
    let versions: Vec<_> = (0..8).map(version).collect();
    let server = Server::start(settings(), None).await;
    server.served.store(versions[0].clone());
    let consistent = |answer: &Value, entry: &Value| {
        let number = entry["features_used"]["tenure_months"].as_i64().unwrap();
        let as_of = date(2024, 1, 1).checked_add(jiff::Span::new().days(number)).unwrap();
        assert_eq!(answer["model"]["version"], json!(number.to_string()), "{answer}");
        assert_eq!(answer["as_of"], json!(as_of.to_string()), "{answer}");
    };
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let address = server.address;
            tokio::spawn(async move {
                let mut client = Client::new(address).await;
                let ids: Vec<String> = (0..50).map(user_id).collect();
                for _ in 0..100 {
                    let one =
                        client.post("/predict", &json!({ "user_id": user_id(number) }).to_string()).await;
                    assert_eq!(one.status, 200, "{}", one.text());
                    consistent(&one.json(), &one.json());
                    let many =
                        client.post("/predict/batch", &json!({ "entities": ids }).to_string()).await.json();
                    many["predictions"].as_array().unwrap().iter().for_each(|entry| consistent(&many, entry));
                }
            })
        })
        .collect();
    let mut swaps = 0;
    while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        swaps += 1;
        server.served.store(versions[swaps % versions.len()].clone());
        tokio::task::yield_now().await;
    }
    for client in clients {
        client.await.unwrap();
    }
    assert!(swaps > versions.len());
    assert_eq!(metric(&server, "api_requests_total").await, 1600.0);
    server.stop().await;
}

/// Headers and the first half of a body: the request is in flight until the rest comes.
const HALF: (&[u8], &[u8]) = (
    b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{\"user_id\"",
    b":\"U0001\"}",
);

/// A runtime whose only thread for long work is busy until the sender is dropped: a batch that needs it stays in flight.
fn runtime_without_threads() -> (tokio::runtime::Runtime, std::sync::mpsc::Sender<()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
    let (busy, wait) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || wait.recv());
    (runtime, busy)
}

#[test]
fn one_request_too_many_is_turned_away_at_once() {
    let (runtime, busy) = runtime_without_threads();
    runtime.block_on(async {
        let settings = ApiConfig { max_in_flight: NonZeroUsize::MIN, ..settings() };
        let server = Server::loaded(settings).await;
        let mut first = Client::new(server.address).await;
        let ids: Vec<String> = (0..100).map(user_id).collect();
        let json_type = [("content-type", "application/json")];
        let batch = json!({ "entities": ids }).to_string();
        first.write(&request_bytes("POST /predict/batch", &json_type, batch.as_bytes())).await;
        wait_for(&server, "api_requests_in_flight", 1.0).await;
        for (path, body) in
            [("/predict", r#"{"user_id":"U0001"}"#), ("/predict/batch", r#"{"entities":["U0001"]}"#)]
        {
            let response = Client::new(server.address).await.post(path, body).await;
            assert_eq!(response.status, 503, "{}", response.text());
            assert_eq!(response.header("retry-after"), Some("1"));
            assert_eq!(response.json()["error"], "too many requests in flight (limit 1), try again");
        }
        // Health and metrics are not predictions.
        assert_eq!(Client::new(server.address).await.get("/health").await.status, 200);
        drop(busy);
        assert_eq!(first.response().await.unwrap().status, 200);
        assert_eq!(first.post("/predict", r#"{"user_id":"U0001"}"#).await.status, 200);
        server.stop().await;
    });
}

#[tokio::test]
async fn clients_that_are_slow_to_send_take_no_place() {
    let server = Server::loaded(ApiConfig { max_in_flight: NonZeroUsize::MIN, ..settings() }).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = Client::new(server.address).await;
        client.write(HALF.0).await;
        slow.push(client);
    }
    wait_for(&server, "api_requests_total", 50.0).await;
    assert_eq!(metric(&server, "api_requests_in_flight").await, 0.0);
    let mut client = Client::new(server.address).await;
    assert_eq!(client.post("/predict", r#"{"user_id":"U0001"}"#).await.status, 200);
    for client in &mut slow {
        client.write(HALF.1).await;
        assert_eq!(client.response().await.unwrap().status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_shutdown_and_idle_clients_are_let_go() {
    let server = Server::loaded(settings()).await;
    let address = server.address;
    let mut idle = Client::new(address).await;
    assert_eq!(idle.get("/health").await.status, 200);
    let mut slow = Client::new(address).await;
    slow.write(HALF.0).await;
    wait_for(&server, "api_requests_total", 1.0).await;
    let stopped = server.shutdown();
    assert!(idle.response().await.is_none(), "an idle connection is closed");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody new is let in");
    assert!(!stopped.is_finished());
    slow.write(HALF.1).await;
    let response = slow.response().await.unwrap();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    stopped.await.unwrap().unwrap();
}

#[tokio::test]
async fn draining_ends_although_a_request_never_does() {
    let server = Server::loaded(ApiConfig { drain_timeout_ms: NonZeroU64::MIN, ..settings() }).await;
    let mut slow = Client::new(server.address).await;
    slow.write(HALF.0).await;
    wait_for(&server, "api_requests_total", 1.0).await;
    server.stop().await;
    assert!(slow.response().await.is_none());
}

#[tokio::test]
async fn a_body_that_does_not_come_times_out() {
    let server = Server::loaded(ApiConfig { timeout_ms: NonZeroU64::MIN, ..settings() }).await;
    let mut slow = Client::new(server.address).await;
    slow.write(HALF.0).await;
    let response = slow.response().await.unwrap();
    assert_eq!(response.status, 408);
    assert_eq!(response.json()["error"], "the body did not arrive within 1 ms");
    assert!(slow.response().await.is_none(), "the rest of the body would be taken for a request");
    server.stop().await;
}

#[tokio::test]
async fn headers_that_do_not_come_end_the_connection() {
    let server = Server::loaded(ApiConfig { idle_timeout_ms: NonZeroU64::MIN, ..settings() }).await;
    let mut slow = Client::new(server.address).await;
    slow.write(b"POST /predict HTTP/1.1\r\nhost: te").await;
    assert!(slow.response().await.is_none_or(|response| response.status == 408));
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_counted() {
    let server = Server::loaded(settings()).await;
    let mut gone = Client::new(server.address).await;
    gone.write(HALF.0).await;
    wait_for(&server, "api_requests_total", 1.0).await;
    drop(gone);
    wait_for(&server, "api_request_latency_seconds_count", 1.0).await;
    server.stop().await;
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let server = Server::loaded(ApiConfig { max_connections: NonZeroUsize::MIN, ..settings() }).await;
    let mut first = Client::new(server.address).await;
    assert_eq!(first.get("/health").await.status, 200);
    let mut second = Client::new(server.address).await;
    second.write(&request_bytes("GET /health", &[], b"")).await;
    drop(first);
    assert_eq!(second.response().await.unwrap().status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_body_in_chunks_is_one_body() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    client
        .write(
            b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
              a\r\n{\"user_id\"\r\n9\r\n:\"U0001\"}\r\n0\r\n\r\n",
        )
        .await;
    assert_eq!(client.response().await.unwrap().status, 200);
    client
        .write(b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        .await;
    assert_eq!(client.response().await.unwrap().status, 400);
    server.stop().await;
}

#[tokio::test]
async fn a_large_body_is_refused_and_the_answer_arrives() {
    let server = Server::loaded(settings()).await;
    for excess in [1, 100_000, 900_000] {
        let body = format!("{{\"user_id\":\"{}\"}}", "x".repeat(256 - 14 + excess));
        let response = Client::new(server.address).await.post("/predict", &body).await;
        assert_eq!(response.status, 413);
        assert_eq!(
            response.json()["error"],
            "the body is over the limit of 256 bytes; send less in one request"
        );
    }
    let fits = format!("{{\"user_id\":\"{}\"}}", "x".repeat(256 - 14));
    assert_eq!(Client::new(server.address).await.post("/predict", &fits).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn the_documentation_asks_no_other_host() {
    let server = Server::start(settings(), None).await;
    let mut client = Client::new(server.address).await;
    let page = client.get("/docs").await;
    assert_eq!((page.status, page.header("location")), (303, Some("/docs/")));
    let page = client.get("/docs/").await;
    assert_eq!(page.status, 200);
    let assets: Vec<&str> = page
        .text()
        .split(['"', '\''])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".png"))
        .collect();
    assert!(assets.len() >= 5, "{assets:?}");
    assert!(
        !page.text().contains("http:")
            && !page.text().contains("https:")
            && !page.text().contains("src=\"//")
    );
    for asset in assets {
        let response = client.get(&format!("/docs/{}", asset.trim_start_matches("./"))).await;
        assert_eq!(response.status, 200, "{asset}");
    }
    let start = client.get("/docs/swagger-initializer.js").await;
    assert!(start.text().contains("\"validatorUrl\": \"none\""), "{}", start.text());
    assert!(start.text().contains("\"url\": \"/openapi.json\""), "{}", start.text());
    server.stop().await;
}

#[tokio::test]
async fn answers_have_the_fields_the_document_names() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    let document = client.get("/openapi.json").await.json();
    for (path, body, status) in [
        ("/predict", r#"{"user_id":"U0001"}"#, "200"),
        ("/predict?explain=true", r#"{"user_id":"U0001","features":{"plan":null}}"#, "200"),
        ("/predict", r#"{"user_id":"?"}"#, "404"),
        ("/predict", r#"{"user_id":1}"#, "422"),
        ("/predict?explain=perhaps", r#"{"user_id":"U0001"}"#, "422"),
        ("/predict/batch", r#"{"entities":["U0001"]}"#, "200"),
        ("/predict/batch", r#"{}"#, "422"),
    ] {
        let answer = client.post(path, body).await;
        assert_eq!(answer.status.to_string(), status);
        let is_explained = path.ends_with("?explain=true");
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let schema =
            &document["paths"][path]["post"]["responses"][status]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap().trim_start_matches("#/components/schemas/");
        let schema = &document["components"]["schemas"][name];
        let fields = |object: &Value| {
            let mut names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let mut required: Vec<String> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect();
        required.sort();
        let mut all = fields(&schema["properties"]);
        let more = ["base_value", "contributions", "contributions_scale", "features_sent"].map(str::to_owned);
        // Those of features that are not the snapshot's.
        let from_elsewhere = ["features_at", "features_from", "features_pushed"];
        let (before, is_answer) = (all.len(), all.iter().any(|name| name == "features_sent"));
        all.retain(|name| !from_elsewhere.contains(&name.as_str()));
        assert_eq!(before - all.len(), if is_answer { 3 } else { 0 }, "{path} {status}");
        let optional: Vec<String> = all.iter().filter(|name| !required.contains(name)).cloned().collect();
        assert!(optional.is_empty() || optional == more, "{path} {status}: {optional:?}");
        assert_eq!(fields(&answer.json()), if is_explained { all } else { required }, "{path} {status}");
    }
    let request = &document["components"]["schemas"]["PredictRequest"];
    assert_eq!(request["required"], json!(["user_id"]));
    assert!(!document.to_string().contains("\"entity\""), "{document}");
    server.stop().await;
}

/// Bodies from nearly right to noise.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("\"U0001\"".to_owned()),
        Just("[\"U0001\",\"U0002\"]".to_owned()),
        "\"\\PC{0,20}\"",
        any::<f64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        Just("null".to_owned()),
        Just("{\"plan\":\"basic\",\"monthly_fee\":1}".to_owned()),
        "[{\\[]\\{\"(plan|tenure_months|auto_renew|fee)\":(null|true|7|-0|1e308|\"basic\"|\"x\")\\}?\\]?",
        (1_usize..200).prop_map(|depth| "[".repeat(depth)),
        (1_usize..200).prop_map(|depth| "{\"a\":".repeat(depth)),
    ];
    let key = prop_oneof![
        Just("user_id".to_owned()),
        Just("entities".to_owned()),
        Just("features".to_owned()),
        "\\PC{0,10}"
    ];
    let object = prop::collection::vec((key, value), 0..4).prop_map(|fields| {
        let fields: Vec<String> =
            fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    });
    let damaged =
        (object.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
            let at = at.index(body.len());
            body[at] = byte;
            body
        });
    prop_oneof![object, damaged, prop::collection::vec(any::<u8>(), 0..300)]
}

#[test]
fn no_body_is_an_internal_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::loaded(settings()));
    let address = server.address;
    proptest!(ProptestConfig::with_cases(1000), |(body in bodies(), path in prop_oneof![Just("/predict"), Just("/predict/batch")])| {
        let response = runtime.block_on(async {
            let json = [("content-type", "application/json")];
            Client::new(address).await.send(&format!("POST {path}"), &json, &body).await
        });
        prop_assert!([200, 404, 413, 422].contains(&response.status), "{}: {}", response.status, response.text());
        prop_assert!(response.json().is_object());
        if response.status != 200 {
            prop_assert!(!response.json()["error"].as_str().unwrap().is_empty());
        }
        if response.status == 422 {
            prop_assert!(!response.json()["field"].as_str().unwrap().is_empty());
        }
    });
    runtime.block_on(server.stop());
}
