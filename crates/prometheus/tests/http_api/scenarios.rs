//! Scenario files: what is asked, and what has to be in the answer; see tests/scenarios/prometheus/README.md.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use streamflow_exposition::remote_write::{self, Label, Sample, TimeSeries, WriteRequest};

use crate::fixture;
use crate::http::{Response, form, send};
use crate::servers::{Ours, Prometheus, wait_for};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: String,
    #[serde(default)]
    parameters: Vec<(String, String)>,
    #[serde(default)]
    headers: toml::Table,
    #[serde(default)]
    body: String,
    #[serde(default)]
    write: Vec<Written>,
    status: u16,
    #[serde(default)]
    response_headers: toml::Table,
    exact: Option<String>,
    json: Option<String>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    only: String,
}

/// A series of a remote write; times are milliseconds after the start of the test.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    labels: toml::Table,
    samples: Vec<(i64, f64)>,
}

#[test]
fn ours_answers_as_the_scenarios_say() {
    let server = Ours::start(&fixture::series(), fixture::CONFIG, fixture::RULES);
    wait_for(server.address, "GET /api/v1/targets", "silent");
    assert!(run("prometheus", server.address, |_| true) >= 100);
}

#[test]
fn a_real_prometheus_answers_as_the_scenarios_say() {
    let started = Prometheus::start(&fixture::series(), fixture::CONFIG, fixture::RULES);
    let Some(server) = started else { return };
    wait_for(server.address, "GET /api/v1/targets", "silent");
    let version = version_of(server.address);
    run("prometheus", server.address, |case| case.only.is_empty() || case.only == version);
}

#[test]
fn ours_tells_what_a_target_says_of_its_metrics() {
    let config = fixture::talking(fixture::target());
    let server = Ours::start(&[], &config, "");
    wait_for(server.address, "GET /api/v1/metadata", "a_gauge");
    run("metadata", server.address, |_| true);
}

#[test]
fn a_real_prometheus_tells_what_a_target_says_of_its_metrics() {
    let config = fixture::talking(fixture::target());
    let Some(server) = Prometheus::start(&[], &config, "") else { return };
    wait_for(server.address, "GET /api/v1/metadata", "a_gauge");
    let version = version_of(server.address);
    run("metadata", server.address, |case| case.only.is_empty() || case.only == version);
}

/// The version of a real Prometheus as `only` names it.
fn version_of(address: SocketAddr) -> &'static str {
    let info = send(address, "GET /api/v1/status/buildinfo", &[], b"").json();
    if info["data"]["version"].as_str().unwrap().starts_with("3.") { "3.x" } else { "2.x" }
}

/// All files of a folder in the order of their names, the cases of each in theirs; tells all failures at once, else how
/// many requests there were.
fn run(folder: &str, address: SocketAddr, wanted: impl Fn(&Case) -> bool) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let (mut count, mut failures) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for case in scenario.case.iter().filter(|case| wanted(case)) {
            assert!(
                matches!(case.only.as_str(), "" | "2.x" | "3.x" | "ours"),
                "{}: only is {}",
                case.name,
                case.only
            );
            let (methods, path) = case.request.split_once(' ').unwrap();
            for method in methods.split('|') {
                count += 1;
                let response = ask(address, method, path, case, now_ms);
                if let Err(reason) = check(case, &response) {
                    let file = file.file_name().unwrap().to_string_lossy();
                    let shown: String = response.text().chars().take(600).collect();
                    failures.push(format!("{file}: {}: {method} {path}: {reason}\n  {shown}", case.name));
                }
            }
        }
    }
    assert!(
        count > 0 && failures.is_empty(),
        "{} of {count} requests:\n{}",
        failures.len(),
        failures.join("\n")
    );
    count
}

fn ask(address: SocketAddr, method: &str, path: &str, case: &Case, now_ms: i64) -> Response {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut path = path.to_owned();
    let mut body = case.body.clone().into_bytes();
    if !case.write.is_empty() {
        body = write_body(&case.write, now_ms);
        headers.push(("Content-Encoding".to_owned(), "snappy".to_owned()));
        headers.push(("Content-Type".to_owned(), "application/x-protobuf".to_owned()));
    }
    if !case.parameters.is_empty() {
        let form = form(&case.parameters);
        if method == "POST" {
            headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            body = form.into_bytes();
        } else {
            path = format!("{path}?{form}");
        }
    }
    for (name, value) in &case.headers {
        headers.push((name.clone(), value.as_str().unwrap().to_owned()));
    }
    let mut response = send(address, &format!("{method} {path}"), &headers, &body);
    if response.header("content-encoding") == Some("gzip") {
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(&*response.body).read_to_end(&mut body).unwrap();
        response.body = body;
    }
    response
}

fn write_body(series: &[Written], now_ms: i64) -> Vec<u8> {
    let label = |(name, value): (&String, &toml::Value)| Label {
        name: name.clone(),
        value: value.as_str().unwrap().to_owned(),
    };
    let sample = |&(after, value): &(i64, f64)| Sample::new(now_ms + after, value);
    let series = series.iter().map(|series| TimeSeries {
        labels: series.labels.iter().map(label).collect(),
        samples: series.samples.iter().map(sample).collect(),
        ..TimeSeries::default()
    });
    remote_write::encode(&WriteRequest { timeseries: series.collect(), metadata: Vec::new() })
}

fn check(case: &Case, response: &Response) -> Result<(), String> {
    if response.status != case.status {
        return Err(format!("status {}, expected {}", response.status, case.status));
    }
    for (name, expected) in &case.response_headers {
        let found = response.header(name).unwrap_or_default();
        if found != expected.as_str().unwrap() {
            return Err(format!("header {name} is {found:?}, expected {expected}"));
        }
    }
    if let Some(exact) = &case.exact
        && *exact != response.text()
    {
        return Err(format!("the body differs, expected\n  {exact}"));
    }
    for part in &case.contains {
        if !response.text().contains(part) {
            return Err(format!("the body should contain {part:?}"));
        }
    }
    match &case.json {
        Some(expected) => part_of(&serde_json::from_str(expected).unwrap(), &response.json(), "body"),
        None => Ok(()),
    }
}

/// Objects may have more fields, lists may not have more elements.
fn part_of(expected: &Value, found: &Value, place: &str) -> Result<(), String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().try_for_each(|(name, value)| {
            let place = format!("{place}.{name}");
            match found.get(name) {
                _ if value == "$absent" => {
                    if found.contains_key(name) {
                        Err(format!("{place} should be absent"))
                    } else {
                        Ok(())
                    }
                }
                Some(found) => part_of(value, found, &place),
                None => Err(format!("{place} is missing")),
            }
        }),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.try_for_each(|(index, (expected, found))| {
                part_of(expected, found, &format!("{place}[{index}]"))
            })
        }
        (Value::String(wanted), found) if wanted == "$number" && found.is_number() => Ok(()),
        (Value::String(wanted), found) if wanted == "$string" && found.is_string() => Ok(()),
        (Value::String(wanted), found) if wanted == "$list" && found.is_array() => Ok(()),
        (expected, found) if expected == found => Ok(()),
        (expected, found) => Err(format!("{place} is {found}, expected {expected}")),
    }
}
