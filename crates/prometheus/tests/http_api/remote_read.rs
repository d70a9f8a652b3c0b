//! Remote read: by hand, and by a real Prometheus that has ours as `remote_read`.

use std::net::SocketAddr;

use prost::Message as _;
use streamflow_exposition::remote_read::{
    ChunkedReadResponse, LabelMatcher, Query, QueryResult, ReadRequest, ReadResponse, SAMPLES,
    STREAMED_XOR_CHUNKS,
};

use crate::fixture;
use crate::http::{Response, form, send};
use crate::servers::{Ours, Prometheus, Series};

const START_MS: i64 = 1_700_000_000_000;

fn post(address: SocketAddr, request: &ReadRequest) -> Response {
    let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    send(address, "POST /api/v1/read", &[], &body)
}

/// The results of queries, as samples.
pub fn whole(address: SocketAddr, queries: Vec<Query>) -> Vec<QueryResult> {
    let answer = post(address, &ReadRequest { queries, accepted_response_types: vec![7, SAMPLES] });
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("snappy")));
    let body = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    ReadResponse::decode(&*body).unwrap().results
}

/// The frames that answer queries.
pub fn streamed(address: SocketAddr, queries: Vec<Query>) -> Vec<ChunkedReadResponse> {
    let accepted_response_types = vec![STREAMED_XOR_CHUNKS, SAMPLES];
    let answer = post(address, &ReadRequest { queries, accepted_response_types });
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type").unwrap(),
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    );
    frames(&answer.body)
}

pub fn query(matchers: &[(i32, &str, &str)], end_ms: i64) -> Query {
    let matcher = |&(kind, name, value): &(i32, &str, &str)| LabelMatcher {
        kind,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    Query {
        start_timestamp_ms: START_MS,
        end_timestamp_ms: end_ms,
        matchers: matchers.iter().map(matcher).collect(),
    }
}

/// The messages of a stream, whose lengths are told before them.
fn frames(mut body: &[u8]) -> Vec<ChunkedReadResponse> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let length = usize::try_from(prost::encoding::decode_varint(&mut body).unwrap()).unwrap();
        found.push(ChunkedReadResponse::decode(&body[4..4 + length]).unwrap());
        body = &body[4 + length..];
    }
    found
}

#[test]
fn series_are_read_as_samples_and_as_chunks() {
    let config = "global: {external_labels: {site: here, room: outside}}\n";
    let server = Ours::start(&fixture::series(), config, "");
    let queries = vec![
        query(&[(0, "__name__", "temperature"), (0, "site", "here")], START_MS + 30_000),
        query(&[(2, "__name__", "up|nothing"), (3, "instance", "b.*"), (1, "job", "x")], i64::MAX),
        query(&[(0, "__name__", "temperature"), (0, "site", "there")], i64::MAX),
    ];
    let results = whole(server.address, queries.clone());
    let labels = |labels: &[streamflow_exposition::remote_write::Label]| -> String {
        let pairs: Vec<String> =
            labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
        pairs.join(",")
    };
    let told: Vec<Vec<(String, usize)>> = results
        .iter()
        .map(|result| result.timeseries.iter().map(|one| (labels(&one.labels), one.samples.len())).collect())
        .collect();
    let expected = [
        vec![("__name__=temperature,room=kitchen,site=here".to_owned(), 3)],
        vec![("__name__=up,instance=a:1,job=api,room=outside,site=here".to_owned(), 41)],
        vec![],
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (results[0].timeseries[0].samples[2].timestamp, results[0].timeseries[0].samples[2].value),
        (START_MS + 30_000, 21.5)
    );

    let frames = streamed(server.address, queries);
    let told: Vec<_> =
        frames.iter().map(|frame| (frame.query_index, labels(&frame.chunked_series[0].labels))).collect();
    assert_eq!(told, [(0, expected[0][0].0.clone()), (1, expected[1][0].0.clone())]);
    let chunk = &frames[1].chunked_series[0].chunks[0];
    assert_eq!((chunk.min_time_ms, chunk.max_time_ms, chunk.kind), (START_MS, START_MS + 600_000, 1));
    assert_eq!(chunk.data[..2], [0, 41]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let server = Ours::start(&fixture::series(), "", "");
    for (request, reason) in [
        (
            ReadRequest { queries: vec![query(&[(5, "a", "b")], 0)], ..ReadRequest::default() },
            "the matcher type 5",
        ),
        (ReadRequest { queries: vec![query(&[(2, "a", "(")], 0)], ..ReadRequest::default() }, "("),
        (ReadRequest { accepted_response_types: vec![9], ..ReadRequest::default() }, "response types [9]"),
    ] {
        let answer = post(server.address, &request);
        assert!(
            answer.status == 400 && answer.text().contains(reason),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
    let answer = send(server.address, "POST /api/v1/read", &[], b"nonsense");
    assert!(answer.status == 400 && answer.text().contains("snappy"), "{}", answer.text());
    assert_eq!(send(server.address, "GET /api/v1/read", &[], b"").status, 405);
}

/// Steps of all widths, values whose bits change little and much, and a series of several chunks.
fn series() -> Vec<Series> {
    let mut series = fixture::series();
    let mut at_ms = START_MS;
    let uneven = (0..400_u32).map(|step| {
        at_ms += [1000, 1001, 15_000, 70_000, 1, 900_000][step as usize % 6];
        (
            at_ms,
            [1.0, 1.0, f64::from(step).sqrt(), -1e300, f64::INFINITY, 0.1, f64::from(step)]
                [step as usize % 7],
        )
    });
    series.push(Series::new(&[("__name__", "uneven"), ("note", "ü")], uneven.collect::<Vec<_>>()));
    series
}

#[test]
fn a_real_prometheus_reads_from_ours() {
    let ours = Ours::start(&series(), "global: {external_labels: {site: here}}\n", "");
    let read = format!("remote_read: [{{url: 'http://{}/api/v1/read', read_recent: true}}]\n", ours.address);
    for external in ["", "global: {external_labels: {site: here}}\n"] {
        let Some(theirs) = Prometheus::start(&[], &format!("{external}{read}"), "") else { return };
        for expression in [
            "{__name__=~\".+\"}",
            "max by (job) (increase(requests_total[5m])) > bool 100",
            "histogram_quantile(0.9, sum by (le) (latency_seconds_bucket))",
            "count_over_time(uneven[1w])",
            "max_over_time(uneven[2h:7m])",
            "uneven offset -3h",
            "min_over_time(uneven[1d] offset -2h)",
            "temperature{room=~\"k.*\", room!=\"x\"}",
            "texts",
        ] {
            let seconds = (START_MS / 1000 + 600).to_string();
            let of_range =
                [("start", "1700000000"), ("end", "1700100000"), ("step", "500"), ("time", &seconds)];
            let mut pairs = vec![("query".to_owned(), expression.to_owned())];
            pairs.extend(of_range.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            for route in ["query", "query_range"] {
                let ask = |address| {
                    let path = format!("GET /api/v1/{route}?{}", form(&pairs));
                    let answer = send(address, &path, &[], b"").json();
                    assert!(
                        answer["status"] == "success" && answer["warnings"].is_null(),
                        "{expression}: {answer}"
                    );
                    // Labels of the other server that the asking one does not call its own stay.
                    let text = answer["data"]["result"]
                        .to_string()
                        .replace(",\"site\":\"here\"", "")
                        .replace("\"site\":\"here\",", "")
                        .replace("\"site\":\"here\"", "");
                    let mut rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
                    rows.sort_by_key(ToString::to_string);
                    rows
                };
                let found = ask(ours.address);
                assert!(route == "query" || !found.is_empty(), "{expression}");
                assert_eq!(found, ask(theirs.address), "{external}{route} {expression}");
            }
        }
    }
}
