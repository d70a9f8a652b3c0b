//! Remote write 2.0 against a real listener.

use std::net::SocketAddr;

use streamflow_exposition::remote_write::{Label, NativeHistogram, Sample, TimeSeries, WriteRequest, v2};
use streamflow_histogram::Histogram;

use crate::http::{Response, send};
use crate::servers::Ours;

pub fn post(address: SocketAddr, request: &v2::Request) -> Response {
    use prost::Message as _;
    let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    let headers = [
        ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        ("Content-Encoding", "snappy"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    send(address, "POST /api/v1/write", &headers, &body)
}

pub fn written(response: &Response) -> [&str; 3] {
    ["Samples", "Histograms", "Exemplars"].map(|what| {
        let name = format!("X-Prometheus-Remote-Write-{what}-Written");
        response.header(&name).unwrap_or_else(|| panic!("{name} is missing"))
    })
}

#[test]
fn samples_and_exemplars_are_taken_and_counted() {
    let server = Ours::start(&[], "", "");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let sample = |value: f64| Sample::new(now_ms, value);
    let symbols = ["", "__name__", "sent", "job", "a", "trace", "x"].map(str::to_owned).to_vec();
    let series = |labels_refs: &[u32], value: f64| v2::Series {
        labels_refs: labels_refs.to_vec(),
        samples: vec![sample(value)],
        ..v2::Series::default()
    };
    let exemplar = v2::Exemplar { labels_refs: vec![5, 6], value: 0.5, timestamp: now_ms };
    let mut good = series(&[1, 2, 3, 4], 1.5);
    good.exemplars = vec![exemplar];
    let response = post(
        server.address,
        &v2::Request { symbols: symbols.clone(), timeseries: vec![good, series(&[1, 2], 2.5)] },
    );
    assert_eq!((response.status, written(&response)), (204, ["2", "0", "1"]));

    // What is wrong in one series does not keep the others out, and the answer counts those.
    let timeseries =
        vec![series(&[1, 7], 1.0), series(&[1], 1.0), series(&[3, 4], 1.0), series(&[1, 5], 3.5)];
    let response = post(server.address, &v2::Request { symbols, timeseries });
    assert_eq!((response.status, written(&response)), (400, ["1", "0", "0"]));
    assert!(response.text().contains("the symbol 7 is not in the table of 7"), "{}", response.text());

    let ask = |path: &str| send(server.address, &format!("GET {path}"), &[], b"").json();
    let found = ask("/api/v1/query?query=sum(%7B__name__%3D~%22sent%7Ctrace%22%7D)");
    assert_eq!(found["data"]["result"][0]["value"][1], "7.5");
    let found = ask("/api/v1/query_exemplars?query=rate(sent%7Bjob%3D%22a%22%7D%5B5m%5D)");
    let expected = serde_json::json!([{
        "seriesLabels": {"__name__": "sent", "job": "a"},
        "exemplars": [{"labels": {"trace": "x"}, "value": "0.5", "timestamp": found["data"][0]["exemplars"][0]["timestamp"]}],
    }]);
    assert_eq!(found["data"], expected);
}

/// The present is kept though the far future was sent first.
#[test]
fn the_far_future_is_out_of_bounds_and_does_not_keep_the_present_out() {
    let server = Ours::start(&[], "", "");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let symbols = ["", "__name__", "sent", "hist", "trace", "x"].map(str::to_owned).to_vec();
    let histogram = |timestamp| {
        let histogram = Histogram { schema: 1, ..Histogram::default() };
        NativeHistogram::of(&histogram, timestamp)
    };
    let sent = |times: &[i64]| {
        let samples = times.iter().map(|timestamp| Sample::new(*timestamp, 1.0)).collect();
        let exemplars = times
            .iter()
            .map(|timestamp| v2::Exemplar { labels_refs: vec![4, 5], value: 0.5, timestamp: *timestamp })
            .collect();
        let numbers = v2::Series { labels_refs: vec![1, 2], samples, exemplars, ..v2::Series::default() };
        let histograms = times.iter().map(|timestamp| histogram(*timestamp)).collect();
        let histograms = v2::Series { labels_refs: vec![1, 3], histograms, ..v2::Series::default() };
        post(server.address, &v2::Request { symbols: symbols.clone(), timeseries: vec![numbers, histograms] })
    };
    // The minutes within the bound may pass while this runs, those beyond it may not.
    let (near, far) = (now_ms + 9 * 60_000, now_ms + 15 * 60_000);
    for time in [far, now_ms + 400 * 86_400_000, i64::MAX] {
        let answer = sent(&[time]);
        assert_eq!((answer.status, written(&answer)), (400, ["0", "0", "0"]), "{time}");
        let text = answer.text();
        assert!(text.starts_with(&format!("out of bounds: the sample's time {time} is more than")), "{text}");
        assert!(text.contains("series sent"), "{text}");
    }
    // Of one series what is in time is kept.
    let answer = sent(&[now_ms, i64::MAX]);
    assert_eq!((answer.status, written(&answer)), (400, ["1", "1", "1"]), "{}", answer.text());
    let answer = sent(&[near]);
    assert_eq!((answer.status, written(&answer)), (204, ["1", "1", "1"]), "{}", answer.text());
    let metrics = send(server.address, "GET /metrics", &[], b"").text();
    let line = "streamflow_remote_write_refused_samples_total{reason=\"out_of_bounds\"} 8";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn version_1_keeps_the_far_future_out_as_well() {
    use prost::Message as _;
    let server = Ours::start(&[], "", "");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let sent = |timestamp| {
        let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
        let series = TimeSeries {
            labels: vec![label("__name__", "sent")],
            samples: vec![Sample::new(timestamp, 1.0)],
            ..TimeSeries::default()
        };
        let request = WriteRequest { timeseries: vec![series], metadata: Vec::new() };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        send(server.address, "POST /api/v1/write", &[], &body)
    };
    let answer = sent(now_ms + 400 * 86_400_000);
    assert_eq!(answer.status, 400);
    assert!(answer.text().starts_with("out of bounds: "), "{}", answer.text());
    assert_eq!(sent(now_ms).status, 204);
}
