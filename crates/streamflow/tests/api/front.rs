//! What surrounds a prediction: request ids, packed bodies, other origins' pages, the access log, keys.

use std::io::Write as _;
use std::num::NonZeroU32;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use streamflow::config::{ApiConfig, ApiKey, KeyDigest};

use super::client::Client;
use super::fixture::Server;
use super::settings;

const BODY: &str = r#"{"user_id":"U0001"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

pub fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    for (request, status) in
        [("POST /predict", 200), ("GET /health", 200), ("GET /nothing", 404), ("GET /predict", 405)]
    {
        let id = [JSON, ("X-Request-ID", "order-66")];
        let answer = client.send(request, &id, BODY.as_bytes()).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (status, Some("order-66")));
        let answer = client.send(request, &[JSON, ("X-Request-ID", "a b")], BODY.as_bytes()).await;
        let made = answer.header("x-request-id").unwrap();
        assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
    }
    server.stop().await;
}

#[tokio::test]
async fn packed_bodies_are_read_within_the_limit_of_plain_ones() {
    let server = Server::loaded(settings()).await;
    let long = format!("{{\"user_id\":\"{}\"}}", "x".repeat(300));
    let batch = format!("{{\"entities\":[{}\"U0002\"]}}", "\"U0001\",".repeat(50));
    let bomb = packed(&vec![b' '; 200_000]);
    assert!(bomb.len() < 256);
    let gzip = ("content-encoding", "gzip");
    for (path, encoding, body, status, part) in [
        ("/predict", gzip, packed(BODY.as_bytes()), 200, "probability"),
        ("/predict", ("content-encoding", "GZIP"), packed(BODY.as_bytes()), 200, "probability"),
        ("/predict", ("content-encoding", "identity"), BODY.into(), 200, "probability"),
        ("/predict/batch", gzip, packed(batch.as_bytes()), 200, "predictions"),
        ("/predict", gzip, packed(long.as_bytes()), 413, "256 bytes"),
        ("/predict", gzip, bomb, 413, "256 bytes"),
        ("/predict/batch", gzip, packed(&vec![b' '; 200_000]), 413, "4096 bytes"),
        ("/predict", gzip, BODY.into(), 400, "is not"),
        ("/predict/batch", gzip, packed(batch.as_bytes())[..40].to_vec(), 400, "is not"),
        ("/predict", ("content-encoding", "br"), BODY.into(), 415, "got br"),
    ] {
        let request = format!("POST {path}");
        let answer = Client::new(server.address).await.send(&request, &[JSON, encoding], &body).await;
        assert_eq!(answer.status, status, "{encoding:?}: {}", answer.text());
        assert!(answer.text().contains(part), "{encoding:?}: {}", answer.text());
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_named_origins_may_ask_and_no_others() {
    let shop = "https://shop.example";
    let preflight = [("access-control-request-method", "POST")];
    for (origins, origin, expected) in [
        (&[][..], shop, None),
        (&[shop], shop, Some(shop)),
        (&[shop], "https://evil.example", None),
        (&["*"], "https://evil.example", Some("*")),
    ] {
        let cors_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
        let server = Server::loaded(ApiConfig { cors_origins, ..settings() }).await;
        let mut client = Client::new(server.address).await;
        let allowed = "access-control-allow-origin";
        let answer = client.send("POST /predict", &[JSON, ("origin", origin)], BODY.as_bytes()).await;
        assert_eq!((answer.status, answer.header(allowed)), (200, expected), "{origins:?} {origin}");
        let asks = [&preflight[..], &[("origin", origin)]].concat();
        let answer = client.send("OPTIONS /predict", &asks, b"").await;
        let status = if expected.is_some() { 204 } else { 405 };
        assert_eq!((answer.status, answer.header(allowed)), (status, expected), "{origins:?} {origin}");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_access_log_has_a_line_for_a_request_and_no_entity() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let server = Server::loaded(ApiConfig { access_log: Some(file.clone()), ..settings() }).await;
    let mut client = Client::new(server.address).await;
    client.send("POST /predict", &[JSON, ("x-request-id", "one")], BODY.as_bytes()).await;
    client.send("GET /nothing%0a", &[("x-request-id", "two")], b"").await;
    server.stop().await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, expected) in lines.iter().zip([
        r#"{"request_id":"one","method":"POST","path":"/predict","status":200,"peer":"127.0.0.1"}"#,
        r#"{"request_id":"two","method":"GET","path":"/nothing%0a","status":404,"peer":"127.0.0.1"}"#,
    ]) {
        super::matches(&serde_json::from_str(expected).unwrap(), line).unwrap();
        assert!(line["duration_us"].is_u64() && line["time"].is_string(), "{line}");
    }
    assert_eq!(lines.len(), 2, "{text}");
    assert!(!text.contains("U0001"), "{text}");
}

#[tokio::test]
async fn where_keys_are_configured_a_prediction_takes_one() {
    let key = |key: &str, per_second| ApiKey {
        sha256: KeyDigest::of(key.as_bytes()),
        per_second,
        may_load: false,
        may_label: false,
        may_push: false,
    };
    let keys = [
        ("shop".to_owned(), key("sfk_shop", None)),
        ("batch".to_owned(), key("sfk_batch", Some(NonZeroU32::new(2).unwrap()))),
    ];
    let server = Server::loaded(ApiConfig { keys: keys.into(), ..settings() }).await;
    let mut client = Client::new(server.address).await;
    for (sent, expected) in [
        (("x-api-key", "sfk_shop"), 200),
        (("authorization", "Bearer sfk_shop"), 200),
        (("authorization", "Bearer sfk_shops"), 401),
        (("x-other", ""), 401),
        (("x-api-key", "sfk_batch"), 200),
        (("x-api-key", "sfk_batch"), 200),
        (("x-api-key", "sfk_batch"), 429),
    ] {
        let answer = client.send("POST /predict", &[JSON, sent], BODY.as_bytes()).await;
        assert_eq!(answer.status, expected, "{sent:?}: {}", answer.text());
        match expected {
            401 => assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"StreamFlow\"")),
            429 => assert_eq!(answer.header("retry-after"), Some("1")),
            _ => {}
        }
    }
    assert_eq!(client.post("/predict/batch", r#"{"entities":["U0001"]}"#).await.status, 401);
    assert_eq!(client.get("/ready").await.status, 200);
    let metrics = client.get("/metrics").await;
    for line in [
        "api_key_responses_total{code=\"200\",key=\"shop\"} 2.0",
        "api_key_responses_total{code=\"429\",key=\"batch\"} 1.0",
        "api_responses_total{code=\"401\"} 2.0",
        "api_requests_total 7.0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "no line {line} in\n{}", metrics.text());
    }
    server.stop().await;
}
