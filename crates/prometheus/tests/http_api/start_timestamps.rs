//! Start timestamps, metadata and exemplars by remote write: taken here, and between us and a real Prometheus 3.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use streamflow_exposition::remote_write::{NativeHistogram, Sample, v2};
use streamflow_histogram::Histogram;

use crate::http::send;
use crate::remote_write_2::post;
use crate::servers::{Ours, Prometheus, WAIT_MAX};

const LEFT_OUT: &str = "no start timestamp was passed on";

fn ask(address: SocketAddr, path: &str) -> Value {
    send(address, &format!("GET {path}"), &[], b"").json()["data"].clone()
}

fn query(address: SocketAddr, query: &str) -> Value {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    ask(address, &format!("/api/v1/query?query={escaped}"))["result"].clone()
}

fn eventually(what: &str, mut attempt: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while let Err(last) = attempt() {
        assert!(started.elapsed() < WAIT_MAX, "{what}: {last}");
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
}

/// A counter of 5 and a histogram of 7 observations, half a minute old, by the word of the sample or of its series.
fn request(now_ms: i64, by_series: bool) -> v2::Request {
    let texts = ["", "__name__", "sent_total", "took", "Texts sent.", "seconds", "trace", "x"];
    let start = now_ms - 30_000;
    let (of_sample, of_series) = if by_series { (0, start) } else { (start, 0) };
    let counter = v2::Series {
        labels_refs: vec![1, 2],
        samples: vec![Sample { value: 5.0, timestamp: now_ms, start_timestamp: of_sample }],
        exemplars: vec![v2::Exemplar { labels_refs: vec![6, 7], value: 0.5, timestamp: now_ms }],
        metadata: Some(v2::Metadata { kind: 1, help_ref: 4, unit_ref: 0 }),
        created_timestamp: of_series,
        ..v2::Series::default()
    };
    let histogram = Histogram { count: 7.0, zero_count: 7.0, ..Histogram::default() };
    let message = NativeHistogram { start_timestamp: of_sample, ..NativeHistogram::of(&histogram, now_ms) };
    let histogram = v2::Series {
        labels_refs: vec![1, 3],
        histograms: vec![message],
        metadata: Some(v2::Metadata { kind: 3, help_ref: 0, unit_ref: 5 }),
        created_timestamp: of_series,
        ..v2::Series::default()
    };
    v2::Request { symbols: texts.map(str::to_owned).to_vec(), timeseries: vec![counter, histogram] }
}

#[test]
fn starts_are_kept_where_they_are_switched_on_and_metadata_always() {
    for (wanted, by_series) in [(true, false), (true, true), (false, false)] {
        let server = Ours::start_with(&[], "", "", |settings| settings.start_timestamps = wanted);
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let answer = post(server.address, &request(now_ms, by_series));
        assert_eq!(answer.status, 204, "{}", answer.text());
        // One sample is enough for an increase where its start is known: nothing is extrapolated before it.
        let increase = query(server.address, "round(increase(sent_total[5m]))");
        let count = query(server.address, "round(histogram_count(increase(took[5m])))");
        let value = |found: &Value| found[0]["value"][1].as_str().map(str::to_owned);
        let expected = if wanted { (Some("5".to_owned()), Some("7".to_owned())) } else { (None, None) };
        assert_eq!((value(&increase), value(&count)), expected, "{increase} {count}");
        let told = json!({
            "sent_total": [{"type": "counter", "help": "Texts sent.", "unit": ""}],
            "took": [{"type": "histogram", "help": "", "unit": "seconds"}],
        });
        assert_eq!(ask(server.address, "/api/v1/metadata"), told);
        let one = ask(server.address, "/api/v1/metadata?metric=took");
        assert_eq!(one, json!({ "took": told["took"] }));
    }
}

/// What a Prometheus 3 sends of its metadata we tell, and what we send on of exemplars and starts another one has: it stores a zero
/// at the start.
#[test]
fn prometheus_3_sends_and_is_sent_metadata_exemplars_and_starts() {
    let features = "native-histograms,exemplar-storage,created-timestamp-zero-ingestion";
    let Some(last) = Prometheus::start_3_with(features, "", LEFT_OUT) else { return };
    let queue = "queue_config: {batch_send_deadline: 100ms}";
    let on = format!(
        "remote_write: [{{url: 'http://{}/api/v1/write', protobuf_message: io.prometheus.write.v2.Request, \
         send_exemplars: true, send_native_histograms: true, {queue}}}]\n",
        last.address
    );
    let ours = Ours::start_with(&[], &on, "", |settings| settings.start_timestamps = true);
    let first = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: first\n  \
         static_configs: [{{targets: ['{}']}}]\nremote_write: [{{url: 'http://{}/api/v1/write', protobuf_message: \
         io.prometheus.write.v2.Request, {queue}}}]\n",
        last.address, ours.address
    );
    let first = Prometheus::start_3_with("metadata-wal-records", &first, LEFT_OUT).unwrap();
    eventually("metadata arrives here", || {
        let metric = "prometheus_http_requests_total";
        let found = ask(ours.address, &format!("/api/v1/metadata?metric={metric}"));
        let theirs = ask(first.address, &format!("/api/v1/metadata?metric={metric}"));
        if found[metric][0]["type"] == "counter" && found == theirs {
            Ok(())
        } else {
            Err(format!("{found} {theirs}"))
        }
    });
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let answer = post(ours.address, &request(now_ms, false));
    assert_eq!(answer.status, 204, "{}", answer.text());
    eventually("the sample and its start arrive there", || {
        let found = query(last.address, "sent_total[5m]");
        let values: Vec<&str> =
            found[0]["values"].as_array().into_iter().flatten().filter_map(|pair| pair[1].as_str()).collect();
        if values == ["0", "5"] { Ok(()) } else { Err(found.to_string()) }
    });
    eventually("the exemplar arrives there", || {
        let found = ask(last.address, "/api/v1/query_exemplars?query=sent_total&start=0&end=9999999999");
        if found[0]["exemplars"][0]["labels"] == json!({"trace": "x"}) {
            Ok(())
        } else {
            Err(found.to_string())
        }
    });
    let metrics = send(ours.address, "GET /metrics", &[], b"").text();
    for name in ["shards", "shards_min", "shards_max", "shards_desired", "samples_total", "exemplars_total"] {
        let line = format!("prometheus_remote_storage_{name}{{remote_name=\"remote_write-0\",url=\"http://");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    for reason in
        ["dropped_series", "too_old", "unintentionally_dropped_series", "native_histograms_not_sent"]
    {
        let end = format!("/api/v1/write\",reason=\"{reason}\"}} ");
        let is_told = |line: &str| {
            line.starts_with("prometheus_remote_storage_samples_dropped_total{") && line.contains(&end)
        };
        assert!(metrics.lines().any(is_told), "{end} in {metrics}");
    }
}

/// A Prometheus 3 with native histograms asks for protobuf: it gets them, and numbers as from a text.
#[test]
fn prometheus_3_scrapes_native_histograms_by_federation() {
    let ours = Ours::start(&[], "global: {external_labels: {site: a}}\n", "");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let answer = post(ours.address, &request(now_ms, true));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: f\n  honor_labels: true\n  metrics_path: /federate\n  \
         params: {{'match[]': ['{{__name__=~\".+\"}}']}}\n  static_configs: [{{targets: ['{}']}}]\n",
        ours.address
    );
    let Some(theirs) = Prometheus::start_3(&config, "nothing was federated by protobuf") else { return };
    eventually("both arrive", || {
        let count = query(theirs.address, "histogram_count(took{site=\"a\"})");
        let number = query(theirs.address, "sent_total{site=\"a\"}");
        let is_there = count[0]["value"][1] == "7" && number[0]["value"][1] == "5";
        if is_there { Ok(()) } else { Err(format!("{count} {number}")) }
    });
}
