//! Samples that are gone, and the aggregates that answer for them.

use streamflow_tsdb::Downsampling;

use crate::http::send;
use crate::servers::{Ours, Series};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A counter that rises by one a minute, over four days, of which the samples of the first two and more are gone.
fn server() -> (Ours, i64) {
    let now = streamflow_prometheus::now_ms() / HOUR_MS * HOUR_MS;
    let start = now - 4 * DAY_MS;
    let samples =
        (1..=4 * 24 * 60).map(|minute| (start + minute * 60_000, f64::from(i32::try_from(minute).unwrap())));
    let series = [Series::new(&[("__name__", "requests_total")], samples)];
    let keep = Some(100 * DAY_MS);
    let downsampling = Downsampling { five_minutes_ms: keep, one_hour_ms: keep };
    let server = Ours::start_with(&series, "", "", |settings| {
        settings.retention_days = 1;
        settings.downsampling = downsampling;
    });
    // The upkeep that begins with the server makes them.
    crate::servers::wait_for(server.address, "GET /api/v1/query?query=up", "success");
    let oldest = "streamflow_tsdb_aggregate_oldest_timestamp_seconds{resolution=\"1h\"} 1";
    crate::servers::wait_for(server.address, "GET /metrics", oldest);
    // They are made block by block, and the samples go after each.
    let second_day = (start + DAY_MS) / 1000;
    let left = format!(
        "GET /api/v1/query?query=count_over_time(requests_total%5B1d%5D)&time={second_day}&max_source_resolution=0s"
    );
    crate::servers::wait_for(server.address, &left, "\"result\":[]");
    (server, start)
}

#[test]
fn the_parameter_says_which_aggregates_are_read_and_the_answer_does_too() {
    let (server, start) = server();
    let ask = |parameters: &str| {
        let path = format!("GET /api/v1/query_range?query=increase(requests_total%5B2h%5D)&{parameters}");
        send(server.address, &path, &[], b"")
    };
    let times = |step: &str| {
        let seconds = |hours: i64| (start + hours * HOUR_MS) / 1000;
        format!("start={}&end={}&step={step}", seconds(12), seconds(20))
    };
    for (resolution, step, expected) in [
        ("auto", "1h", "aggregates of 1h"),
        ("", "300", "aggregates of 5m"),
        ("5m", "1h", "aggregates of 5m"),
        ("1h", "300", "aggregates of 1h"),
        ("1d", "300", "aggregates of 1h"),
    ] {
        let answer = ask(&format!("{}&max_source_resolution={resolution}", times(step))).json();
        let infos = answer["infos"].as_array().unwrap_or_else(|| panic!("{resolution} {step}: {answer}"));
        assert!(infos.len() == 1 && infos[0].as_str().unwrap().contains(expected), "{resolution}: {infos:?}");
        let values = answer["data"]["result"][0]["values"].as_array().unwrap();
        for value in values {
            let increase: f64 = value[1].as_str().unwrap().parse().unwrap();
            assert!((increase - 120.0).abs() < 1.5, "{resolution} {step}: {value}");
        }
        assert_eq!(values.len(), if step == "1h" { 9 } else { 97 });
    }
    let raw = ask(&format!("{}&max_source_resolution=0s", times("1h"))).json();
    assert_eq!((&raw["data"]["result"], raw.get("infos")), (&serde_json::json!([]), None));
    let refused = ask(&format!("{}&max_source_resolution=daily", times("1h")));
    assert_eq!(refused.status, 400);
    let expected =
        "invalid parameter \"max_source_resolution\": \"daily\" is none; expected 0s, 5m, 1h or auto";
    assert_eq!(refused.json()["error"], expected);
    let counted = send(server.address, "GET /metrics", &[], b"").text();
    assert!(counted.contains("\nstreamflow_queries_from_aggregates_total 5.0\n"), "{counted}");
}

#[test]
fn what_is_deleted_by_the_api_is_in_no_aggregate() {
    let (server, _) = server();
    let ask =
        || send(server.address, "GET /api/v1/series?match[]=requests_total", &[], b"").json()["data"].clone();
    let count = "GET /api/v1/query?query=count_over_time(requests_total%5B10d%5D)";
    let whole = send(server.address, count, &[], b"").json();
    assert_eq!(whole["data"]["result"][0]["value"][1], "5760");
    assert_eq!(ask(), serde_json::json!([{ "__name__": "requests_total" }]));
    let path = "POST /api/v1/admin/tsdb/delete_series?match[]=requests_total";
    assert_eq!(send(server.address, path, &[], b"").status, 204);
    assert_eq!(ask(), serde_json::json!([]));
    assert_eq!(send(server.address, count, &[], b"").json()["data"]["result"], serde_json::json!([]));
}
