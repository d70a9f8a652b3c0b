//! Real targets on loopback, scraped by this module, and by a real Prometheus beside it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use streamflow_prometheus_yml::parse;
use streamflow_tsdb::{Db, MatchOp, Matcher, Options, Samples, is_stale};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::status::{Health, TargetStatus};
use super::{Handle, Scraper};

mod beside_prometheus;

/// For every single wait: a scrape takes a fraction of a second, a busy machine many more.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What `/metrics` answers now, and the headers of the last request.
#[derive(Clone, Default)]
struct Service {
    body: Arc<Mutex<String>>,
    headers: Arc<Mutex<HeaderMap>>,
    asked: Arc<AtomicU64>,
}

impl Service {
    fn say(&self, body: &str) {
        body.clone_into(&mut self.body.lock().unwrap());
    }
}

async fn metrics(State(service): State<Service>, headers: HeaderMap) -> Response {
    *service.headers.lock().unwrap() = headers;
    service.asked.fetch_add(1, Ordering::Relaxed);
    let body = service.body.lock().unwrap().clone();
    if body == "500" {
        (axum::http::StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
    } else {
        body.into_response()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body that goes on for a gigabyte.
async fn gigabyte() -> Body {
    Body::new(Mebibytes(1024))
}

/// As many mebibytes of comment.
struct Mebibytes(u32);

impl axum::body::HttpBody for Mebibytes {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from(vec![b'#'; 1 << 20])))))
    }
}

/// Twenty kilobytes that become twenty megabytes.
async fn bomb() -> Response {
    ([("content-encoding", "gzip")], gzip(&vec![b'#'; 20 << 20])).into_response()
}

async fn compressed() -> Response {
    let head =
        [("content-encoding", "gzip"), ("content-type", "application/openmetrics-text; version=1.0.0")];
    (head, gzip(b"z_total 1 # {a=\"b\"} 1\n# EOF\n")).into_response()
}

/// A server with a path for each way to answer.
async fn serve(service: Service) -> SocketAddr {
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/never", get(std::future::pending::<Response>))
        .route("/gigabyte", get(gigabyte))
        .route("/bomb", get(bomb))
        .route("/compressed", get(compressed))
        .route("/garbage", get(|| async { ([("content-type", "text/plain")], b"<html>\0\x01\xff".to_vec()) }))
        .route("/untyped", get(|| async { b"a 1\n".to_vec() }))
        .route("/twice", get(|| async { "t 1\nt 2\n" }))
        .route("/moved", get(|| async { Redirect::temporary("/metrics") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A running scraper with a store in memory.
struct Running {
    db: Db,
    handle: Handle,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(yaml: &str) -> Self {
        let db = Db::in_memory(Options::default());
        let scraper = Scraper::new(db.clone());
        let handle = scraper.handle();
        let (shutdown, receiver) = watch::channel(false);
        let running = Running { db, handle, shutdown, task: tokio::spawn(scraper.run(receiver)) };
        running.apply(yaml);
        running
    }

    fn apply(&self, yaml: &str) {
        let (config, warnings) = parse(yaml, std::path::Path::new("")).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        self.handle.apply(&config);
    }

    /// The values of a series, ascending by time, `stale` for a marker.
    fn values(&self, name: &str, job: &str) -> Vec<String> {
        let matchers = [("__name__", name), ("job", job)]
            .map(|(name, value)| Matcher::new(name, MatchOp::Equal, value).unwrap());
        let mut values = Vec::new();
        for series in self.db.select(&matchers, i64::MIN, i64::MAX).unwrap() {
            let mut samples = Samples::default();
            series.read(&mut samples).unwrap();
            let shown = |value: &f64| if is_stale(*value) { "stale".to_owned() } else { value.to_string() };
            values.extend(samples.values.iter().map(shown));
        }
        values
    }

    async fn wait_for(&self, name: &str, job: &str, expected: &str) {
        eventually(&format!("{name} of {job} ends with {expected}"), || {
            let values = self.values(name, job);
            if values.last().is_some_and(|last| last == expected) { Ok(()) } else { Err(values) }
        })
        .await;
    }

    fn status(&self, job: &str) -> TargetStatus {
        let targets = self.handle.targets();
        targets.into_iter().find(|target| target.scrape_pool == job).unwrap()
    }

    async fn stop(self) {
        self.shutdown.send_replace(true);
        self.task.await.unwrap();
    }

    fn metric(&self, name: &str) -> u64 {
        self.handle.counters().iter().find(|(found, ..)| *found == name).unwrap().2
    }
}

/// Tries until `attempt` succeeds; after [`WAIT_MAX`] fails with what it said last.
async fn eventually<T, E: std::fmt::Debug>(what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) => {
                assert!(started.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}, last {last:?}")
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Jobs of one target each, named after their paths.
fn jobs(address: SocketAddr, paths: &[&str]) -> String {
    let mut yaml = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n".to_owned();
    for path in paths {
        yaml += &format!(
            "- {{job_name: {path}, metrics_path: /{path}, static_configs: [{{targets: ['{address}']}}]}}\n"
        );
    }
    yaml
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_comes_and_goes() {
    let service = Service::default();
    service.say("# TYPE a counter\n# HELP a Text.\na 1\nb{job=\"own\"} 2\n");
    let address = serve(service.clone()).await;
    let running = Running::start(&jobs(address, &["metrics"]));
    running.wait_for("up", "metrics", "1").await;
    running.wait_for("b", "metrics", "2").await;
    let status = running.status("metrics");
    assert_eq!((status.health, status.last_error.as_str()), (Health::Up, ""));
    assert_eq!(status.scrape_url, format!("http://{address}/metrics"));
    assert_eq!(status.labels["instance"], address.to_string());
    assert_eq!(running.handle.metadata(None)["a"][0].help, "Text.");
    let headers = service.headers.lock().unwrap().clone();
    assert!(
        headers["accept"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;")
    );
    assert_eq!(
        (&headers["accept-encoding"], &headers["x-prometheus-scrape-timeout-seconds"]),
        (&"gzip".parse().unwrap(), &"0.2".parse().unwrap())
    );

    service.say("a 5\n");
    running.wait_for("b", "metrics", "stale").await;
    running.wait_for("a", "metrics", "5").await;
    service.say("500");
    running.wait_for("up", "metrics", "0").await;
    running.wait_for("a", "metrics", "stale").await;
    let status = running.status("metrics");
    assert_eq!(
        (status.health, status.last_error.as_str()),
        (Health::Down, "server returned HTTP status 500 Internal Server Error")
    );
    service.say("# TYPE a gauge\na 7\n");
    running.wait_for("a", "metrics", "7").await;
    running.wait_for("up", "metrics", "1").await;
    running.wait_for("scrape_samples_scraped", "metrics", "1").await;

    // The same configuration again leaves the loop alone; without the job its series end.
    running.apply(&jobs(address, &["metrics"]));
    assert_eq!(running.values("a", "metrics").iter().filter(|value| *value == "stale").count(), 1);
    running.apply("scrape_configs: []");
    running.wait_for("a", "metrics", "stale").await;
    running.wait_for("up", "metrics", "stale").await;
    assert!(running.handle.targets().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_targets_are_bounded_and_named() {
    let service = Service::default();
    service.say("m 1\n");
    let address = serve(service).await;
    let paths = [
        "never",
        "gigabyte",
        "bomb",
        "garbage",
        "untyped",
        "twice",
        "moved",
        "round",
        "absent",
        "compressed",
    ];
    let yaml =
        jobs(address, &paths).replace("scrape_interval: 200ms, scrape_timeout: 200ms", "scrape_interval: 5s");
    let running = Running::start(
        &yaml.replace("scrape_interval: 5s", "scrape_interval: 3s, scrape_timeout: 3s, body_size_limit: 8MB"),
    );
    // A busy machine may first be too slow for an answer: what counts is what a target ends up with.
    let ends_with = async |job: &str, expected: &str| {
        eventually(&format!("{job}: {expected:?}"), || {
            let status = running.handle.targets().into_iter().find(|target| target.scrape_pool == job);
            let reached = status.as_ref().is_some_and(|status| {
                let error = &status.last_error;
                let told = error.contains(expected) && expected.is_empty() == error.is_empty();
                status.health != Health::Unknown && told
            });
            if reached { Ok(()) } else { Err(Box::new(status)) }
        })
        .await;
    };
    for (job, expected) in [
        ("never", "no complete answer within the timeout of 3s"),
        ("gigabyte", "body size limit exceeded: more than 8388608 bytes"),
        ("bomb", "body size limit exceeded: more than 8388608 bytes"),
        ("garbage", "line 1: expected a metric name"),
        ("untyped", "set fallback_scrape_protocol"),
        ("round", "redirect"),
        ("absent", "server returned HTTP status 404 Not Found"),
    ] {
        ends_with(job, expected).await;
        assert_eq!(running.values("up", job)[0], "0", "{job}");
    }
    for (job, name, value) in [("twice", "t", "1"), ("moved", "m", "1"), ("compressed", "z_total", "1")] {
        ends_with(job, "").await;
        assert_eq!(running.values(name, job)[0], value, "{job}");
    }
    assert!(running.metric("prometheus_target_scrapes_exceeded_body_size_limit_total") >= 2);
    assert!(running.metric("prometheus_target_scrapes_sample_duplicate_timestamp_total") >= 1);
    assert_eq!(running.status("twice").samples_refused, 1);
    // Jobs are told in the order of their names, not in that of the file.
    let (mut sorted, pools) = (paths, running.handle.pools());
    sorted.sort_unstable();
    assert_eq!(pools, sorted);
    let targets: Vec<_> = running.handle.targets().into_iter().map(|target| target.scrape_pool).collect();
    assert_eq!(targets, sorted);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_limits_and_credentials() {
    let service = Service::default();
    service.say("a 1\n");
    let address = serve(service.clone()).await;
    let dir = tempfile::TempDir::new().unwrap();
    let (targets, token) = (dir.path().join("targets.json"), dir.path().join("token"));
    std::fs::write(&token, "s3cret\n").unwrap();
    std::fs::write(&targets, format!(r#"[{{"targets": ["{address}"], "labels": {{"zone": "x"}}}}]"#))
        .unwrap();
    let yaml = format!(
        "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs:\n- job_name: files\n  target_limit: 1\n  \
         authorization: {{credentials_file: {}}}\n  extra_scrape_metrics: true\n  \
         file_sd_configs: [{{files: ['{}'], refresh_interval: 100ms}}]\n  \
         relabel_configs: [{{source_labels: [zone], regex: drop, action: drop}}]\n",
        token.display(),
        targets.display()
    );
    let running = Running::start(&yaml);
    running.wait_for("a", "files", "1").await;
    running.wait_for("scrape_body_size_bytes", "files", "4").await;
    assert_eq!(service.headers.lock().unwrap()["authorization"], "Bearer s3cret");
    assert_eq!(running.status("files").labels["zone"], "x");

    // A second target is over the limit: then none of the job is scraped.
    let two =
        format!(r#"[{{"targets": ["{address}"], "labels": {{"zone": "x"}}}}, {{"targets": ["{address}"]}}]"#);
    std::fs::write(&targets, two).unwrap();
    eventually("the limit is told", || {
        let error = running.status("files").last_error;
        if error == "target_limit exceeded: 2 targets, the limit is 1" { Ok(()) } else { Err(error) }
    })
    .await;
    let dropped = format!(r#"[{{"targets": ["{address}"], "labels": {{"zone": "drop"}}}}]"#);
    std::fs::write(&targets, dropped).unwrap();
    let zone = eventually("the target is dropped", || match running.handle.dropped().as_slice() {
        [dropped] if running.handle.targets().is_empty() => Ok(dropped.discovered_labels["zone"].clone()),
        other => Err(other.len()),
    })
    .await;
    assert_eq!(zone, "drop");
    running.stop().await;
}
