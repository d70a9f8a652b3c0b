//! Answers about native histograms, held against those of Prometheus 3.5.3 in `tests/native_answers.jsonl`.
//!
//! `STREAMFLOW_WRITE_GOLDEN=1` with `STREAMFLOW_PROMETHEUS35` asks that program anew. An expression that is answered
//! otherwise on purpose stands in [`OTHERWISE`] with the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, ResetHint};
use streamflow_promql::{Engine, EngineOptions, Query};
use streamflow_tsdb::{Db, Labels, Options, Value as Sample};

use super::json;

/// The time of the first sample; a whole number of steps.
const START_MS: i64 = 1_700_000_000_000 / STEP_MS * STEP_MS;
const STEP_MS: i64 = 15_000;
const SAMPLES: i64 = 41;
const END_MS: i64 = START_MS + (SAMPLES - 1) * STEP_MS;

/// Expressions that have another answer than Prometheus 3.5.3, by a part of their text, and why. The newer release whose
/// scripts `crates/promql/tests/promqltest.rs` runs has it so.
const OTHERWISE: &[(&str, &str)] = &[
    ("avg by (job) ({job=\"a\"})", FIRST_MET),
    ("sum({job=\"a\"})", FIRST_MET),
    ("limitk(1, {job=\"a\"})", FIRST_MET),
    (", n)", "3.14 says at the histograms that some are NaN, and names no metric that has no name"),
    ("histogram_quantile(0.5, sum(rate(n[2m])))", "the same"),
    ("histogram_quantile(0.5, sum(rate(f[2m])))", "3.14 names no metric that has no name"),
    ("histogram_fraction(-1, 0.7, d)", "3.5 gives NaN within a first bucket that has no lower end"),
    ("h{instance!=\"9\",job=\"a\"}", "3.14 names two series of the same signature in their order"),
    ("== ignoring(job, instance) c{", "3.14 counts a match that a comparison filters"),
    ("== ignoring(job, instance) m{", "3.14 counts a match that a comparison filters"),
    ("c + ignoring(job) d", BOUNDS),
    ("c - ignoring(job) d", BOUNDS),
    ("sum({__name__=~\"c|d\"})", BOUNDS),
    ("avg({__name__=~\"c|d\"})", BOUNDS),
];
const FIRST_MET: &str =
    "series stand in the order of their labels here, there in that of their first samples";
const BOUNDS: &str = "3.14 brings custom bounds that differ to those that both have";

fn side(indices: &[i32], counts: &[f64]) -> Buckets {
    Buckets { indices: indices.to_vec(), counts: counts.to_vec() }
}

/// Sample `at` of each series; every counter is reset once.
fn sample(series: usize, at: i64) -> Sample {
    let grown = if at < 23 { at + 1 } else { at - 20 } as f64;
    let histogram = |histogram: Histogram| Sample::Histogram(Arc::new(histogram));
    match series {
        0 => histogram(Histogram {
            schema: 0,
            count: 12.0 * grown,
            sum: 18.5 * grown,
            zero_threshold: 0.001,
            zero_count: 2.0 * grown,
            positive: side(&[0, 1, 3], &[grown, 2.0 * grown, 3.0 * grown]),
            negative: side(&[0, 2], &[grown, 3.0 * grown]),
            ..Histogram::default()
        }),
        1 => histogram(Histogram {
            schema: 2,
            count: 9.0 * grown,
            sum: 11.25 * grown,
            zero_threshold: 0.001,
            positive: side(&[-3, 1, 4, 5], &[grown, 3.0 * grown, 4.0 * grown, grown]),
            ..Histogram::default()
        }),
        2 => histogram(Histogram {
            schema: 1,
            count: 7.0 * grown,
            sum: -3.0 * grown,
            zero_threshold: 0.3,
            zero_count: grown,
            positive: side(&[-1, 2], &[grown, grown]),
            negative: side(&[1, 3], &[2.0 * grown, 2.0 * grown]),
            ..Histogram::default()
        }),
        3 => {
            let level = (at % 7 + 2) as f64;
            histogram(Histogram {
                schema: 0,
                reset: ResetHint::Gauge,
                count: 5.0 * level,
                sum: 6.5 * level,
                positive: side(&[1, 2, 5], &[level, 3.0 * level, level]),
                ..Histogram::default()
            })
        }
        4 => histogram(Histogram {
            schema: CUSTOM_BOUNDS,
            count: 8.0 * grown,
            sum: 4.0 * grown,
            positive: side(&[0, 1, 3], &[2.0 * grown, 5.0 * grown, grown]),
            custom_bounds: vec![0.1, 0.5, 1.0],
            ..Histogram::default()
        }),
        5 => histogram(Histogram {
            schema: CUSTOM_BOUNDS,
            count: 4.0 * grown,
            sum: 1.5 * grown,
            positive: side(&[0, 2], &[3.0 * grown, grown]),
            custom_bounds: vec![-0.5, 0.5, 2.0],
            ..Histogram::default()
        }),
        6 if at < 20 => Sample::Float(grown),
        6 => histogram(Histogram {
            count: 3.0 * grown,
            sum: 2.0 * grown,
            positive: side(&[0, 1], &[grown, 2.0 * grown]),
            ..Histogram::default()
        }),
        7 => histogram(Histogram {
            count: 10.0 * grown,
            sum: f64::NAN,
            positive: side(&[0, 1], &[3.0 * grown, 5.0 * grown]),
            ..Histogram::default()
        }),
        8 => histogram(Histogram::default()),
        _ => Sample::Float(grown * 2.0),
    }
}

fn all_labels() -> Vec<Labels> {
    let labelled = |name: &str, job: &str, instance: &str| {
        Labels::new([("__name__", name), ("job", job), ("instance", instance)])
    };
    vec![
        labelled("h", "a", "0"),
        labelled("h", "a", "1"),
        labelled("h", "b", "0"),
        labelled("g", "b", "1"),
        labelled("c", "a", "0"),
        labelled("d", "b", "0"),
        labelled("m", "a", "0"),
        labelled("n", "a", "0"),
        labelled("e", "a", "0"),
        labelled("f", "a", "0"),
        labelled("f", "b", "1"),
    ]
}

/// Each function and operator on each kind of series, and some of them within others.
fn expressions() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let series = ["h", "h{instance=\"0\"}", "g", "c", "d", "m", "n", "e", "f", "{job=\"a\"}"];
    let mut each = |templates: &[&str], of: &[&str]| {
        for template in templates {
            all.extend(of.iter().map(|of| template.replace('X', of)));
        }
    };
    each(&["X", "-X", "histogram_count(X)", "histogram_sum(X)", "histogram_avg(X)"], &series);
    each(&["histogram_stddev(X)", "histogram_stdvar(X)", "histogram_quantile(0.9, X)"], &series);
    each(
        &["histogram_quantile(0.3, X)", "histogram_fraction(-1, 0.7, X)", "histogram_fraction(0, +Inf, X)"],
        &series,
    );
    each(&["rate(X[2m])", "increase(X[95s])", "delta(X[2m])", "irate(X[2m])", "idelta(X[2m])"], &series);
    each(&["resets(X[6m])", "changes(X[6m])", "count_over_time(X[3m])", "sum_over_time(X[1m])"], &series);
    each(
        &["avg_over_time(X[2m])", "last_over_time(X[1m])", "max_over_time(X[2m])", "stddev_over_time(X[2m])"],
        &series,
    );
    each(
        &["quantile_over_time(0.5, X[8m])", "deriv(X[8m])", "present_over_time(X[1m])", "timestamp(X)"],
        &series,
    );
    each(
        &["sum(X)", "avg by (job) (X)", "count(X)", "group(X)", "min(X)", "topk(1, X)", "stddev(X)"],
        &series,
    );
    each(
        &["quantile(0.5, X)", "limitk(1, X)", "count_values(\"v\", X)", "X * 2", "2 * X", "X / 4", "4 / X"],
        &series,
    );
    each(
        &["X / 0", "X + 1", "X > 1", "X == bool 1", "X % 2", "1 - X", "abs(X)", "round(X)", "sort(X)"],
        &series,
    );
    each(&["absent(X)", "scalar(X)", "year(X)", "clamp_max(X, 3)", "X offset 1m", "X @ 1700000010"], &series);
    each(&["label_replace(X, \"k\", \"$1\", \"job\", \"(.*)\")", "X[1m:15s]"][..1], &series);
    each(&["rate(X[4m:30s])", "sum_over_time(X[2m:30s])", "last_over_time(X[1m:15s])"], &series);
    each(
        &["histogram_quantile(0.5, sum(rate(X[2m])))", "histogram_count(sum by (job) (rate(X[2m])))"],
        &series,
    );
    each(&["histogram_sum(increase(X[2m]))", "histogram_count(X) / histogram_sum(X)"], &series);
    let pairs = ["h", "g", "c", "d", "m", "f"];
    for op in ["+", "-", "*", "/", "==", "!=", ">", "and", "or", "unless"] {
        for (place, lhs) in pairs.iter().enumerate() {
            for rhs in &pairs[place..] {
                all.push(format!(
                    "{lhs}{{instance=\"0\"}} {op} ignoring(job, instance) {rhs}{{instance!=\"9\",job=\"a\"}}"
                ));
            }
        }
    }
    for expression in [
        "c + ignoring(job) d",
        "c - ignoring(job) d",
        "c == ignoring(job) d",
        "c != ignoring(job) d",
        "sum({__name__=~\"c|d\"})",
        "avg({__name__=~\"c|d\"})",
        "sum by (instance) (h)",
        "avg(h) - on() sum(g)",
        "h and on(job) g",
        "h * on(instance) group_left f{job=\"a\"}",
        "histogram_quantile(0.9, sum by (job) (increase(h[3m]))) > 1",
        "rate(h[2m] offset 30s)",
        "sum(h{instance=\"0\"}) / count(h)",
    ] {
        all.push(expression.to_owned());
    }
    all.sort();
    all.dedup();
    all
}

fn store() -> Db {
    let db = Db::in_memory(Options::default());
    for at in 0..SAMPLES {
        let mut batch = db.batch();
        for (series, labels) in all_labels().iter().enumerate() {
            match sample(series, at) {
                Sample::Float(value) => batch.add(labels, START_MS + at * STEP_MS, value),
                Sample::Histogram(histogram) => {
                    batch.add_histogram(labels, START_MS + at * STEP_MS, histogram)
                }
            }
            .unwrap();
        }
        batch.commit().unwrap();
    }
    db
}

/// The times of every query: before the reset, soon after it, and the end.
const TIMES: (i64, i64, i64) = (START_MS + 300_000, END_MS, 150_000);

fn ours(db: &Db, expression: &str) -> Value {
    let engine = Engine::new(EngineOptions { experimental: true, ..EngineOptions::default() });
    let (start_ms, end_ms, step_ms) = TIMES;
    let answer = Query::parse(&engine, expression)
        .and_then(|query| query.range(&engine, db, engine.grid(start_ms, end_ms, step_ms as f64)?, &|| None));
    match answer {
        Err(error) => json!({"error": error.to_string()}),
        Ok(answer) => {
            let mut body = b"{".to_vec();
            json::value(&mut body, &answer.value, end_ms);
            body.push(b'}');
            let data: Value = serde_json::from_slice(&body).unwrap();
            json!({"result": data["result"], "warnings": sorted(answer.warnings), "infos": sorted(answer.infos)})
        }
    }
}

/// Remarks have no order in Prometheus.
fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// Equal texts, or numbers that are equal up to rounding.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, value)| theirs.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::String(ours), Value::String(theirs)) => {
            ours == theirs
                || match (ours.parse::<f64>(), theirs.parse::<f64>()) {
                    (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
                    _ => false,
                }
        }
        _ => ours == theirs,
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native_answers.jsonl")
}

#[test]
fn native_histograms_are_answered_as_prometheus_does() {
    let mut theirs: BTreeMap<String, Value> = BTreeMap::new();
    for line in std::fs::read_to_string(golden()).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        theirs.insert(line["query"].as_str().unwrap().to_owned(), line["answer"].take());
    }
    let db = store();
    let mut differ = Vec::new();
    let mut otherwise = vec![false; OTHERWISE.len()];
    for expression in expressions() {
        let Some(theirs) = theirs.remove(&expression) else {
            differ.push(format!("{expression}: no answer of Prometheus is known"));
            continue;
        };
        let ours = ours(&db, &expression);
        let excuse = OTHERWISE.iter().position(|(part, _)| expression.contains(part));
        match (same(&ours, &theirs), excuse) {
            (false, Some(excuse)) => otherwise[excuse] = true,
            (false, None) => differ.push(format!("{expression}\n  ours   {ours}\n  theirs {theirs}")),
            (true, _) => {}
        }
    }
    let idle = OTHERWISE.iter().zip(&otherwise).filter(|(_, used)| !**used).map(|((part, _), _)| *part);
    differ.extend(idle.map(|part| format!("{part}: listed, but no answer differs")));
    differ.extend(theirs.into_keys().map(|query| format!("{query}: is asked no longer")));
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n"));
}

/// What a sender of Prometheus's remote write says, version 1.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<TimeSeries>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub histograms: Vec<Histogram>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Label {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(double, tag = "1")]
        pub value: f64,
        #[prost(int64, tag = "2")]
        pub timestamp: i64,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Histogram {
        #[prost(double, optional, tag = "2")]
        pub count: Option<f64>,
        #[prost(double, tag = "3")]
        pub sum: f64,
        #[prost(sint32, tag = "4")]
        pub schema: i32,
        #[prost(double, tag = "5")]
        pub zero_threshold: f64,
        #[prost(double, optional, tag = "7")]
        pub zero_count: Option<f64>,
        #[prost(message, repeated, tag = "8")]
        pub negative_spans: Vec<Span>,
        #[prost(double, repeated, tag = "10")]
        pub negative_counts: Vec<f64>,
        #[prost(message, repeated, tag = "11")]
        pub positive_spans: Vec<Span>,
        #[prost(double, repeated, tag = "13")]
        pub positive_counts: Vec<f64>,
        #[prost(int32, tag = "14")]
        pub reset_hint: i32,
        #[prost(int64, tag = "15")]
        pub timestamp: i64,
        #[prost(double, repeated, tag = "16")]
        pub custom_values: Vec<f64>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Span {
        #[prost(sint32, tag = "1")]
        pub offset: i32,
        #[prost(uint32, tag = "2")]
        pub length: u32,
    }
}

fn spans(buckets: &Buckets) -> Vec<wire::Span> {
    let mut next = 0;
    let span = |&index: &i32| {
        let offset = index - next;
        next = index + 1;
        wire::Span { offset, length: 1 }
    };
    buckets.indices.iter().map(span).collect()
}

fn on_the_wire(histogram: &Histogram, timestamp: i64) -> wire::Histogram {
    wire::Histogram {
        count: Some(histogram.count),
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count: Some(histogram.zero_count),
        negative_spans: spans(&histogram.negative),
        negative_counts: histogram.negative.counts.clone(),
        positive_spans: spans(&histogram.positive),
        positive_counts: histogram.positive.counts.clone(),
        reset_hint: if histogram.reset == ResetHint::Gauge { 3 } else { 0 },
        timestamp,
        custom_values: histogram.custom_bounds.clone(),
    }
}

fn request(at: i64) -> Vec<u8> {
    let timestamp = START_MS + at * STEP_MS;
    let series = all_labels().into_iter().enumerate().map(|(series, labels)| {
        let pairs = labels.iter().map(|(name, value)| wire::Label { name: name.into(), value: value.into() });
        let mut written = wire::TimeSeries { labels: pairs.collect(), ..wire::TimeSeries::default() };
        match sample(series, at) {
            Sample::Float(value) => written.samples.push(wire::Sample { value, timestamp }),
            Sample::Histogram(histogram) => written.histograms.push(on_the_wire(&histogram, timestamp)),
        }
        written
    });
    let message = prost::Message::encode_to_vec(&wire::WriteRequest { timeseries: series.collect() });
    snap::raw::Encoder::new().compress_vec(&message).unwrap()
}

/// Killed when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(program: &Path, dir: &Path) -> (Prometheus, String) {
    std::fs::write(dir.join("prometheus.yml"), "global: {evaluation_interval: 1m}\n").unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let process = Command::new(program)
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--log.format=json", "--web.enable-remote-write-receiver"])
        .args([
            "--storage.tsdb.retention.time=100y",
            "--enable-feature=native-histograms,promql-experimental-functions",
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let prometheus = Prometheus(process);
    let started = Instant::now();
    loop {
        let log = std::fs::read_to_string(dir.join("log")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ready = lines.clone().any(|line| line["msg"] == "Server is ready to receive web requests.");
        let address = lines
            .filter(|line| line["msg"] == "Listening on")
            .find_map(|line| Some(format!("http://{}/api/v1", line["address"].as_str()?)));
        if let (Some(address), true) = (address, ready) {
            return (prometheus, address);
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn golden_answers_are_written_where_that_is_asked_for() {
    let Some(program) = std::env::var_os("STREAMFLOW_PROMETHEUS35") else { return };
    if std::env::var_os("STREAMFLOW_WRITE_GOLDEN").is_none() {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let (_prometheus, url) = start(Path::new(&program), dir.path()).await;
    let client = reqwest::Client::new();
    for at in 0..SAMPLES {
        let answer = client
            .post(format!("{url}/write"))
            .header("content-encoding", "snappy")
            .header("content-type", "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(request(at))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    let (start, end, step) = TIMES;
    let mut text = String::new();
    for query in expressions() {
        let times = [("start", start), ("end", end), ("step", step)];
        let mut url = reqwest::Url::parse(&format!("{url}/query_range")).unwrap();
        url.query_pairs_mut().append_pair("query", &query);
        for (name, ms) in times {
            url.query_pairs_mut().append_pair(name, &(ms / 1000).to_string());
        }
        let answer: Value = client.get(url).send().await.unwrap().json().await.unwrap();
        let list = |kind: &str| {
            let texts = answer[kind].as_array().into_iter().flatten();
            sorted(texts.map(|text| text.as_str().unwrap().to_owned()).collect())
        };
        let answer = match answer["status"].as_str() {
            Some("success") => {
                json!({"result": answer["data"]["result"], "warnings": list("warnings"), "infos": list("infos")})
            }
            _ => json!({"error": answer["error"]}),
        };
        text.push_str(&json!({"query": query, "answer": answer}).to_string());
        text.push('\n');
    }
    std::fs::write(golden(), text).unwrap();
}
