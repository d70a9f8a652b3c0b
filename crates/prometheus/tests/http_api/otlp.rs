//! Metrics of OpenTelemetry against a real listener.

use std::io::Write as _;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use streamflow_exposition::otlp::{Encoding, decode};

use crate::http::{Response, send};
use crate::servers::Ours;

fn post(address: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    send(address, "POST /api/v1/otlp/v1/metrics", &headers, body)
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A counter of a service, so many minutes ago.
fn counter(minutes: i64, value: i64, temporality: u8) -> String {
    let time_ns = jiff::Timestamp::now().as_nanosecond() - i128::from(minutes) * 60_000_000_000;
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}},
            {{"key":"host.name","value":{{"stringValue":"h1"}}}}]}},"scopeMetrics":[{{"metrics":[{{"name":"http.requests","unit":"1",
            "sum":{{"isMonotonic":true,"aggregationTemporality":{temporality},"dataPoints":[{{"timeUnixNano":"{time_ns}","asInt":"{value}",
            "exemplars":[{{"timeUnixNano":"{time_ns}","asDouble":0.5,"traceId":"0af7651916cd43dd8448eb211c80319c"}}]}}]}}}}]}}]}}]}}"#
    )
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

#[test]
fn metrics_are_taken_in_both_encodings() {
    let server = Ours::start(&[], "otlp: {promote_resource_attributes: [host.name]}\n", "");
    let answer = post(server.address, &[JSON], counter(2, 5, 2).as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let request = decode(counter(1, 7, 2).as_bytes(), Encoding::Json, &Default::default()).unwrap();
    let answer = post(server.address, &[PROTOBUF, GZIP], &packed(&request.encode_to_vec()));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    let ask =
        |query: &str| send(server.address, &format!("GET /api/v1/{query}"), &[], b"").json()["data"].clone();
    let found = &ask("query?query=http_requests_total%5B10m%5D")["result"];
    let labels = serde_json::json!({"__name__": "http_requests_total", "host_name": "h1", "job": "shop"});
    assert_eq!(found[0]["metric"], labels);
    assert_eq!((&found[0]["values"][0][1], &found[0]["values"][1][1]), (&"5".into(), &"7".into()));
    let labels = serde_json::json!({"__name__": "target_info", "host_name": "h1", "job": "shop"});
    assert_eq!(ask("query?query=target_info")["result"][0]["metric"], labels);
    let found = ask("query_exemplars?query=http_requests_total");
    assert_eq!(found[0]["exemplars"][0]["labels"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn histograms_of_both_kinds_become_native_ones() {
    let server = Ours::start(&[], "otlp: {convert_histograms_to_nhcb: true}\n", "");
    let body = |seconds_ago: i128, count: u8, scale: i8| {
        let time_ns = jiff::Timestamp::now().as_nanosecond() - seconds_ago * 1_000_000_000;
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[
                {{"name":"size","unit":"By","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"{time_ns}",
                    "count":"{count}","sum":12,"scale":{scale},"positive":{{"offset":1,"bucketCounts":["1","3"]}}}}]}}}},
                {{"name":"wait","histogram":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"{time_ns}",
                    "count":"4","sum":3,"explicitBounds":[1,2],"bucketCounts":["2","2","0"]}}]}}}}]}}]}}]}}"#
        )
    };
    let answer = post(server.address, &[JSON], body(3, 4, 0).as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let ask = |query: &str| {
        let path = format!("GET /api/v1/query?query={query}");
        send(server.address, &path, &[], b"").json()["data"]["result"].clone()
    };
    let size = &ask("size_bytes")[0]["histogram"][1];
    let buckets = serde_json::json!([[0, "2", "4", "1"], [0, "4", "8", "3"]]);
    assert_eq!((&size["count"], &size["sum"], &size["buckets"]), (&"4".into(), &"12".into(), &buckets));
    assert_eq!(ask("histogram_quantile(0.5,wait)")[0]["value"][1], "1");
    // A count that its buckets have not, and a scale that is too coarse: the other metric of the request stays.
    let answer = post(server.address, &[JSON], body(2, 9, 0).as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("a count of 9, expected the 4 of its buckets; series size_bytes"));
    let answer = post(server.address, &[JSON], body(1, 4, -5).as_bytes());
    assert_eq!((answer.status, &answer.json()["partialSuccess"]["rejectedDataPoints"]), (200, &"1".into()));
    assert_eq!(ask("count_over_time(wait[1m])")[0]["value"][1], "3");
}

#[test]
fn the_far_future_is_out_of_bounds() {
    let server = Ours::start(&[], "", "");
    let answer = post(server.address, &[JSON], counter(-400 * 24 * 60, 5, 2).as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.text().starts_with("out of bounds: "), "{}", answer.text());
    let answer = post(server.address, &[JSON], counter(1, 7, 2).as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    // The counter, and `target_info`.
    let metrics = send(server.address, "GET /metrics", &[], b"").text();
    let line = "streamflow_otlp_refused_data_points_total{reason=\"out_of_bounds\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn what_is_left_out_is_told_and_counted() {
    let server = Ours::start(&[], "", "");
    let answer = post(server.address, &[JSON], counter(1, 5, 1).as_bytes());
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "1");
    assert!(partial["errorMessage"].as_str().unwrap().contains("set the sender's temporality preference"));
    let oldest_last =
        [counter(1, 5, 2), counter(3, 4, 2)].map(|body| post(server.address, &[JSON], body.as_bytes()));
    assert_eq!(oldest_last.map(|answer| answer.status), [200, 400]);
    let huge = "x".repeat(17 << 20);
    let bomb = packed(&vec![b' '; 40 << 20]);
    for (headers, body, status, reason) in [
        (&[][..], &b"{}"[..], 400, "content type \"\" is not accepted"),
        (&[("Content-Type", "text/plain")], b"{}", 400, "application/json"),
        (&[JSON, ("Content-Encoding", "zstd")], b"{}", 400, "expected gzip or none"),
        (&[JSON, GZIP], b"{}", 400, "the body is no gzip stream"),
        (&[JSON], b"{\"resourceMetrics\":5}", 400, "no OTLP request in JSON"),
        (&[PROTOBUF], b"{}", 400, "no OTLP request in protobuf"),
        (&[JSON], huge.as_bytes(), 413, "larger than the 16777216 bytes"),
        (&[JSON, GZIP], &bomb, 400, "bytes after decompression are 33554433"),
        (&[JSON, ("Origin", "http://evil.example")], b"{}", 403, "another origin"),
    ] {
        let answer = post(server.address, headers, body);
        assert!(
            answer.status == status && answer.text().contains(reason),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
    let metrics = send(server.address, "GET /metrics", &[], b"").text();
    for line in [
        "streamflow_otlp_received_samples_total 3.0",
        "streamflow_otlp_refused_data_points_total{reason=\"temporality\"} 1.0",
        "streamflow_otlp_refused_data_points_total{reason=\"out_of_order\"} 2.0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
}
