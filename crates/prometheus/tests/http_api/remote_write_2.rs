//! Remote write 2.0 against a real listener.

use std::net::SocketAddr;

use streamflow_exposition::remote_write::{Sample, v2};

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
    let sample = |value: f64| Sample { value, timestamp: now_ms };
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
