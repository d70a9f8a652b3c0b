//! Sending to a receiver that answers as it is told, and to a real Prometheus that goes away and comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Url;
use serde_json::Value;
use streamflow_exposition::remote_write::{Limits, MetricMetadata, decode, v2};
use streamflow_outbound::{ClientSettings, Credentials, Secret};
use streamflow_tsdb::{Labels, Options, STALE_NAN};

use super::*;

mod beside;
mod given_up;

/// For every single wait: a busy machine needs its time.
const WAIT_MAX: Duration = Duration::from_secs(120);

fn endpoint(url: &str) -> Endpoint {
    let receiver = streamflow_outbound::Receiver {
        url: Url::parse(url).unwrap(),
        client: ClientSettings::default().client().unwrap(),
        credentials: Credentials::default(),
        timeout: Duration::from_secs(30),
    };
    Endpoint {
        batch_send_deadline: Duration::from_millis(20),
        min_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(50),
        retry_on_http_429: true,
        ..Endpoint::new("test", receiver)
    }
}

async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = std::time::Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < WAIT_MAX, "{what}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

type Received = BTreeMap<Labels, Vec<(i64, u64)>>;

/// Answers with the statuses it is given, then with 204, and keeps the samples of the requests it took.
#[derive(Default)]
struct Receiver {
    answers: Mutex<Vec<u16>>,
    samples: Mutex<Received>,
    /// Samples of each request.
    sizes: Mutex<Vec<usize>>,
    headers: Mutex<HeaderMap>,
    /// Requests of version 2, and those of version 1 with metadata.
    whole: Mutex<Vec<v2::Request>>,
    metadata: Mutex<Vec<MetricMetadata>>,
    exemplars: Mutex<Vec<(Labels, f64)>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Arc<Self>, String) {
        let receiver = Arc::new(Self { answers: Mutex::new(answers.to_vec()), ..Self::default() });
        let take = async |State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes| {
            *receiver.headers.lock().unwrap() = headers.clone();
            let mut answers = receiver.answers.lock().unwrap();
            if !answers.is_empty() {
                let status = StatusCode::from_u16(answers.remove(0)).unwrap();
                return (status, [("retry-after", "0")], "as told");
            }
            let is_second = headers["x-prometheus-remote-write-version"] == "2.0.0";
            if is_second {
                receiver.whole.lock().unwrap().push(v2::decode(&body, &Limits::default()).unwrap());
                return (StatusCode::NO_CONTENT, [("retry-after", "0")], "");
            }
            let request = decode(&body, &Limits::default()).unwrap();
            receiver.metadata.lock().unwrap().extend(request.metadata);
            let mut size = 0;
            for series in request.timeseries {
                let labels = Labels::new(series.labels.iter().map(|label| (&label.name, &label.value)));
                let exemplars = series.exemplars.iter().map(|exemplar| (labels.clone(), exemplar.value));
                receiver.exemplars.lock().unwrap().extend(exemplars);
                let samples = series.samples.iter().map(|sample| (sample.timestamp, sample.value.to_bits()));
                size += series.samples.len();
                receiver.samples.lock().unwrap().entry(labels).or_default().extend(samples);
            }
            receiver.sizes.lock().unwrap().push(size);
            (StatusCode::NO_CONTENT, [("retry-after", "0")], "")
        };
        let app = Router::new().route("/write", post(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/write", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, url)
    }

    fn samples(&self) -> Received {
        self.samples.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.samples().values().map(Vec::len).sum()
    }
}

/// Two families are known.
fn sources() -> Sources {
    let metadata =
        |kind, help: &str| crate::scrape::Metadata { kind, help: help.to_owned(), unit: String::new() };
    let known = move || {
        vec![("a".to_owned(), metadata("counter", "Texts.")), ("b".to_owned(), metadata("gauge", "Others."))]
    };
    Sources { exemplars: Arc::default(), meanings: Meanings::new(Arc::new(known)) }
}

/// A running sender; what it kept is in `dir`.
struct Running {
    handle: Handle,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(db: &Db, dir: &Path, endpoint: Endpoint) -> Self {
        Self::start_with(db, dir, endpoint, sources())
    }

    fn start_with(db: &Db, dir: &Path, endpoint: Endpoint, sources: Sources) -> Self {
        let remote_write = RemoteWrite::new(db.clone(), dir.join("remote_write"), sources);
        let handle = remote_write.handle();
        handle.apply(vec![endpoint]);
        let (stop, stopped) = watch::channel(false);
        Self { handle, stop, task: tokio::spawn(remote_write.run(stopped)) }
    }

    fn status(&self) -> SenderStatus {
        self.handle.status().pop().unwrap_or_default()
    }

    async fn wait(&self, what: &str, done: impl Fn(&SenderStatus) -> bool) {
        eventually(what, async || {
            let status = self.status();
            if done(&status) { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn labels(name: &str, at: usize) -> Labels {
    Labels::new([("__name__", name), ("n", &at.to_string())])
}

fn write(db: &Db, name: &str, series: usize, timestamps: std::ops::Range<i64>) {
    for timestamp in timestamps {
        let mut batch = db.batch();
        for at in 0..series {
            batch.add(&labels(name, at), timestamp, timestamp as f64).unwrap();
        }
        batch.commit().unwrap();
    }
}

fn open(dir: &Path) -> Db {
    Db::open(&dir.join("metrics"), Options::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_arrives_in_order_with_its_bits() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[500, 429, 503]).await;
    let db = open(dir.path());
    write(&db, "a", 3, 1..101);
    let sender = Running::start(&db, dir.path(), Endpoint { max_samples_per_send: 50, ..endpoint(&url) });
    let mut batch = db.batch();
    batch.add(&labels("a", 0), 200, STALE_NAN).unwrap();
    batch.add(&labels("a", 1), 200, f64::NEG_INFINITY).unwrap();
    batch.commit().unwrap();
    sender.wait("all are sent", |status| status.samples_sent == 302).await;
    let samples = receiver.samples();
    assert_eq!(samples.len(), 3);
    let mut expected: Vec<(i64, u64)> = (1..101).map(|at| (at, (at as f64).to_bits())).collect();
    assert_eq!(samples[&labels("a", 2)], expected);
    expected.push((200, STALE_NAN.to_bits()));
    assert_eq!(samples[&labels("a", 0)], expected);
    let status = sender.status();
    assert!(
        status.samples_retried >= 3 && status.samples_failed == 0 && status.last_error.is_empty(),
        "{status:?}"
    );
    assert_eq!((status.highest_timestamp_sent_ms, status.samples_pending), (200, 0));
    assert!(receiver.sizes.lock().unwrap().iter().all(|size| *size <= 50));
    let headers = receiver.headers.lock().unwrap().clone();
    for (name, value) in [
        ("content-encoding", "snappy"),
        ("content-type", "application/x-protobuf"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ] {
        assert_eq!(headers[name], value);
    }
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_counted_and_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[400]).await;
    let db = open(dir.path());
    write(&db, "a", 1, 1..3);
    let sender = Running::start(&db, dir.path(), endpoint(&url));
    sender.wait("the first are refused", |status| status.samples_failed == 2).await;
    assert!(sender.status().last_error.contains("as told"), "{:?}", sender.status());
    write(&db, "a", 1, 3..5);
    sender.wait("the next are sent", |status| status.samples_sent == 2).await;
    assert_eq!(receiver.count(), 2);
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_added_changed_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[]).await;
    let db = open(dir.path());
    for name in ["kept", "dropped"] {
        write(&db, name, 1, 1..2);
    }
    let yaml = "remote_write: [{url: 'http://a', write_relabel_configs: [
        {source_labels: [__name__, region], regex: 'kept;eu', action: keep},
        {target_label: x, replacement: y}]}]";
    let (written, _) = streamflow_prometheus_yml::parse(yaml, Path::new("")).unwrap();
    let relabel = written.remote_write[0].write_relabel_configs.clone();
    let external_labels = Labels::new([("region", "eu"), ("n", "not this")]);
    let endpoint = Endpoint { relabel, external_labels, ..endpoint(&url) };
    let sender = Running::start(&db, dir.path(), endpoint);
    sender
        .wait("one is sent, one dropped", |status| (status.samples_sent, status.samples_dropped) == (1, 1))
        .await;
    let found: Vec<Labels> = receiver.samples().into_keys().collect();
    assert_eq!(found, [Labels::new([("__name__", "kept"), ("n", "0"), ("region", "eu"), ("x", "y")])]);
    sender.stop().await;
}

/// Stopped in the middle and started again: everything arrives, nothing again that was confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[]).await;
    let text = |text: &str| Secret::Text(text.to_owned());
    let endpoint = || {
        let mut endpoint = Endpoint { max_samples_per_send: 10, ..endpoint(&url) };
        endpoint.receiver.credentials = Credentials::Basic { user: text("user"), password: text("secret") };
        endpoint
    };
    let mut written = 1;
    for round in 1..=5 {
        let db = open(dir.path());
        let sender = Running::start(&db, dir.path(), endpoint());
        write(&db, "a", 7, written..written + 20);
        written += 20;
        // In the last round to the end, before that at some point.
        let enough = if round == 5 { 7 * 20 } else { 10 * round };
        sender.wait("some are sent", |status| status.samples_sent >= enough).await;
        if round == 5 {
            eventually("all have arrived", async || {
                let samples = receiver.samples();
                let missing = (0..7).find(|at| {
                    let found: std::collections::BTreeSet<i64> =
                        samples.get(&labels("a", *at)).into_iter().flatten().map(|(at, _)| *at).collect();
                    found != (1..written).collect()
                });
                missing.map_or(Ok(()), |at| Err(format!("series {at} of {samples:?}")))
            })
            .await;
        }
        sender.stop().await;
        db.close().unwrap();
    }
    assert_eq!(receiver.headers.lock().unwrap()["authorization"], "Basic dXNlcjpzZWNyZXQ=");
    // No more is sent once all was.
    let before = receiver.count();
    let db = open(dir.path());
    let sender = Running::start(&db, dir.path(), endpoint());
    write(&db, "b", 1, 1..2);
    sender.wait("the last is sent", |status| status.samples_sent >= 1).await;
    sender.wait("nothing waits", |status| status.samples_pending == 0).await;
    assert!(receiver.count() - before <= 1 + 7 * 20, "{} after {before}", receiver.count());
    sender.stop().await;
}

/// A Prometheus that takes remote write; killed when dropped.
struct Prometheus {
    process: Child,
    url: String,
}

impl Prometheus {
    /// At `listen`, where port 0 is any; its samples are kept in `dir`.
    async fn start(program: &Path, dir: &Path, listen: &str) -> Self {
        std::fs::write(dir.join("prometheus.yml"), "global: {}\n").unwrap();
        let log_file = dir.join("log");
        let log = std::fs::File::create(&log_file).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .args(["--web.enable-remote-write-receiver", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut prometheus = Self { process, url: String::new() };
        prometheus.url = eventually("prometheus listens", async || {
            let log = std::fs::read_to_string(&log_file).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let address = lines
                .filter(|line| line["msg"] == "Listening on")
                .find_map(|line| Some(format!("http://{}", line["address"].as_str()?)));
            address.ok_or(log)
        })
        .await;
        prometheus
    }

    /// All samples of a metric that are at most an hour old at a time.
    async fn samples(&self, name: &str, time_ms: i64) -> BTreeMap<String, Vec<(String, String)>> {
        let (query, time) = (format!("{name}[1h]"), (time_ms as f64 / 1000.0).to_string());
        let url =
            Url::parse_with_params(&format!("{}/api/v1/query", self.url), [("query", query), ("time", time)]);
        let answer: Value = ClientSettings::default()
            .client()
            .unwrap()
            .get(url.unwrap())
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let values = |series: &Value| {
            let values = series["values"].as_array().cloned().unwrap_or_default();
            values
                .iter()
                .map(|pair| (pair[0].to_string(), pair[1].as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        series
            .iter()
            .map(|series| (series["metric"]["n"].as_str().unwrap_or_default().to_owned(), values(series)))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_gets_every_sample_over_an_outage() {
    let Some(program) = streamflow_oracles::prometheus("nothing was sent to a real one") else { return };
    let (dir, receiver_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = open(dir.path());
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    // Half an hour of samples up to now, every second, 20 series.
    let start_ms = now_ms - 1_800_000;
    let write = |from: i64, to: i64| {
        for second in from..to {
            let mut batch = db.batch();
            for at in 0..20 {
                let value = second as f64 + at as f64 / 8.0;
                batch.add(&labels("sent", at), start_ms + second * 1000, value).unwrap();
            }
            batch.commit().unwrap();
        }
    };
    let prometheus = Prometheus::start(&program, receiver_dir.path(), "127.0.0.1:0").await;
    let url = prometheus.url.clone();
    let sender = Running::start(&db, dir.path(), endpoint(&format!("{url}/api/v1/write")));
    write(0, 600);
    sender.wait("the first third is sent", |status| status.samples_sent == 20 * 600).await;
    drop(prometheus);
    write(600, 1200);
    sender.wait("it fails", |status| !status.last_error.is_empty()).await;
    let prometheus =
        Prometheus::start(&program, receiver_dir.path(), url.strip_prefix("http://").unwrap()).await;
    write(1200, 1800);
    sender.wait("the rest is sent", |status| status.samples_sent == 20 * 1800).await;
    assert_eq!(sender.status().samples_failed, 0, "{:?}", sender.status());
    let found = prometheus.samples("sent", now_ms).await;
    assert_eq!(found.len(), 20);
    for at in 0..20_usize {
        let values = &found[&at.to_string()];
        assert_eq!(values.len(), 1800, "series {at}");
        for (second, (_, value)) in values.iter().enumerate() {
            assert_eq!(value.parse::<f64>().unwrap(), second as f64 + at as f64 / 8.0);
        }
    }
    sender.stop().await;
}
