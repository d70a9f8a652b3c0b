//! Native histograms between us and a real Prometheus 3: scraped by protobuf, taken by remote write, sent on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use streamflow_exposition::remote_write::{NativeHistogram, Sample, v2};
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, ResetHint};

use crate::http::send;
use crate::remote_read;
use crate::remote_write_2::{post, written};
use crate::servers::{Ours, Prometheus, WAIT_MAX};

const HISTOGRAM: &str = "prometheus_http_request_duration_seconds";

fn ask(address: SocketAddr, query: &str) -> Value {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    send(address, &format!("GET /api/v1/query?query={escaped}"), &[], b"").json()["data"]["result"].clone()
}

/// The histograms of the last seconds: series and time, and what the API says of them.
fn histograms(address: SocketAddr, selector: &str) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for series in ask(address, &format!("{selector}[20s]")).as_array().into_iter().flatten() {
        for sample in series["histograms"].as_array().into_iter().flatten() {
            found.insert((series["metric"].to_string(), sample[0].to_string()), sample[1].clone());
        }
    }
    found
}

fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < WAIT_MAX, "{what}: {last}"),
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// One Prometheus scrapes itself and sends to us, and we send on to another, which we scrape as well: both say the same of
/// every histogram that both have.
fn passed_on(message: &str) {
    let Some(last) = Prometheus::start_3("", "no histogram was passed on") else { return };
    let queue = "send_native_histograms: true, queue_config: {batch_send_deadline: 100ms}";
    let ours = Ours::start(
        &[],
        &format!(
            "scrape_configs:\n- job_name: ours\n  scrape_interval: 1s\n  scrape_native_histograms: true\n  \
             always_scrape_classic_histograms: true\n  static_configs: [{{targets: ['{0}']}}]\n\
             remote_write: [{{url: 'http://{0}/api/v1/write', protobuf_message: {message}, {queue}}}]\n",
            last.address
        ),
        "",
    );
    let first = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: first\n  metrics_path: /metrics\n  \
         static_configs: [{{targets: ['{}']}}]\nremote_write: [{{url: 'http://{}/api/v1/write', protobuf_message: \
         {message}, {queue}}}]\n",
        last.address, ours.address
    );
    let first = Prometheus::start_3(&first, "no histogram was passed on").unwrap();
    let of_first = format!("{HISTOGRAM}{{job=\"first\"}}");
    let same = eventually("histograms arrive", || {
        let (sent, arrived) = (histograms(first.address, &of_first), histograms(last.address, &of_first));
        let both: Vec<_> = sent.keys().filter(|key| arrived.contains_key(*key)).cloned().collect();
        for key in &both {
            assert_eq!(sent[key], arrived[key], "{key:?}");
        }
        if both.len() >= 20 { Ok(both.len()) } else { Err(format!("{} of {}", both.len(), sent.len())) }
    });
    assert!(same >= 20);
    // What we scrape by protobuf counts as much as the classic series of the same scrape.
    let equal = format!(
        "count(histogram_count({HISTOGRAM}{{job=\"ours\"}}) == on(handler) {HISTOGRAM}_count{{job=\"ours\"}})"
    );
    let all = format!("count({HISTOGRAM}_count{{job=\"ours\"}})");
    eventually("what is scraped arrives", || {
        let (equal, all) = (ask(last.address, &equal), ask(last.address, &all));
        let count = |found: &Value| found[0]["value"][1].as_str().map(str::to_owned);
        let same = count(&equal).is_some() && count(&equal) == count(&all);
        if same { Ok(()) } else { Err(format!("{equal} of {all}")) }
    });
}

#[test]
fn prometheus_3_sends_and_receives_by_version_1() {
    passed_on("prometheus.WriteRequest");
}

#[test]
fn prometheus_3_sends_and_receives_by_version_2() {
    passed_on("io.prometheus.write.v2.Request");
}

#[test]
fn histograms_of_remote_write_are_taken_and_counted() {
    let server = Ours::start(&[], "", "");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let histogram = Histogram {
        schema: 1,
        count: 3.0,
        sum: 4.5,
        positive: Buckets { indices: vec![0, 3], counts: vec![1.0, 2.0] },
        ..Histogram::default()
    };
    let message = NativeHistogram::of(&histogram, now_ms);
    let symbols = ["", "__name__", "sent", "job", "a"].map(str::to_owned).to_vec();
    let series = |histograms: Vec<NativeHistogram>| v2::Series {
        labels_refs: vec![1, 2, 3, 4],
        histograms,
        ..v2::Series::default()
    };
    let request = |timeseries| v2::Request { symbols: symbols.clone(), timeseries };
    let mut good = series(vec![message.clone()]);
    good.samples = vec![Sample::new(now_ms - 1, 1.0)];
    let response = post(server.address, &request(vec![good]));
    assert_eq!((response.status, written(&response)), (204, ["1", "1", "0"]), "{}", response.text());

    let mut absurd = message.clone();
    (absurd.timestamp, absurd.positive_spans[1].length) = (now_ms + 1, u32::MAX);
    let mut later = message;
    later.timestamp = now_ms + 2;
    let elsewhere =
        v2::Series { labels_refs: vec![1, 9], histograms: vec![later.clone()], ..v2::Series::default() };
    let response = post(server.address, &request(vec![series(vec![absurd, later]), elsewhere]));
    assert_eq!((response.status, written(&response)), (400, ["0", "1", "0"]));
    let text = response.text();
    assert!(
        text.contains("positive spans of 4294967296 buckets, expected at most 16384; series sent{job"),
        "{text}"
    );
    let metrics = send(server.address, "GET /metrics", &[], b"").text();
    for line in ["{reason=\"invalid_histogram\"} 1", "{reason=\"labels\"} 1"] {
        assert!(metrics.contains(line), "{line}");
    }
}

/// Histograms of several layouts among numbers: a real Prometheus that reads them from ours says what ours says.
#[test]
fn histograms_are_read_as_samples_and_as_chunks() {
    let server = Ours::start(&[], "", "");
    let start_ms = jiff::Timestamp::now().as_millisecond() - 60_000;
    let exponential = Histogram {
        schema: 3,
        zero_threshold: 0.001,
        zero_count: 1.0,
        count: 7.0,
        sum: -4.5,
        positive: Buckets { indices: vec![-70, 0, 1, 300], counts: vec![1.0, 2.0, 1.0, 1.0] },
        negative: Buckets { indices: vec![5], counts: vec![1.0] },
        ..Histogram::default()
    };
    let gauge = Histogram { reset: ResetHint::Gauge, count: 6.5, sum: f64::INFINITY, ..exponential.clone() };
    let custom = Histogram {
        schema: CUSTOM_BOUNDS,
        count: 3.0,
        sum: 2.0,
        positive: Buckets { indices: vec![0, 2], counts: vec![1.0, 2.0] },
        custom_bounds: vec![-0.5, 1e9],
        ..Histogram::default()
    };
    let mut coarse = Histogram { schema: -4, zero_threshold: 0.25, ..exponential.clone() };
    coarse.positive.indices = vec![1, 2, 3, 5];
    // Fewer observations than before: that is a reset.
    let empty = Histogram { reset: ResetHint::Reset, ..Histogram::default() };
    let of = |(at, one): (i64, &Histogram)| NativeHistogram::of(one, start_ms + at * 1000);
    let all = [exponential, gauge, custom, coarse, empty];
    let histograms: Vec<NativeHistogram> = (0..).zip(&all).map(|(at, one)| of((2 * at, one))).collect();
    let samples = [1, 3, 9, 10, 11].map(|at| Sample::new(start_ms + at * 1000, at as f64));
    let symbols = ["", "__name__", "mixed"].map(str::to_owned).to_vec();
    let write = |one: v2::Series| {
        let series = v2::Series { labels_refs: vec![1, 2], ..one };
        let request = v2::Request { symbols: symbols.clone(), timeseries: vec![series] };
        let response = post(server.address, &request);
        assert_eq!(response.status, 204, "{}", response.text());
    };
    for at_ms in (start_ms..).step_by(1000).take(12) {
        let histograms = histograms.iter().filter(|one| one.timestamp == at_ms).cloned().collect();
        let samples = samples.iter().filter(|one| one.timestamp == at_ms).cloned().collect();
        write(v2::Series { histograms, samples, ..v2::Series::default() });
    }

    let query = remote_read::query(&[(0, "__name__", "mixed")], i64::MAX);
    let whole = remote_read::whole(server.address, vec![query.clone()]);
    assert_eq!(
        (&whole[0].timeseries[0].samples[..], &whole[0].timeseries[0].histograms),
        (&samples[..], &histograms)
    );
    let kinds: Vec<(i32, i64)> = remote_read::streamed(server.address, vec![query])
        .iter()
        .flat_map(|frame| &frame.chunked_series[0].chunks)
        .map(|chunk| (chunk.kind, (chunk.max_time_ms - start_ms) / 1000))
        .collect();
    assert_eq!(kinds, [(3, 0), (1, 1), (3, 2), (1, 3), (3, 4), (3, 6), (3, 8), (1, 11)]);

    let read =
        format!("remote_read: [{{url: 'http://{}/api/v1/read', read_recent: true}}]\n", server.address);
    let Some(theirs) = Prometheus::start_3(&read, "no histogram was read from here") else { return };
    let found = ask(server.address, "mixed[5m]");
    assert_eq!(found[0]["histograms"].as_array().unwrap().len(), 5, "{found}");
    assert_eq!(found, ask(theirs.address, "mixed[5m]"));
}
