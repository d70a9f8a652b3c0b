//! What is accepted and what is not: the same as by Prometheus.
//!
//! Every case is checked against the table, and all of them against a real Prometheus (STREAMFLOW_PROMETHEUS, see
//! `tools/fetch-debian.sh prometheus DIR`), which scrapes them from a server in this file: same verdict, same series and values.
//! `differs` says why its release 2.42 decides otherwise.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use streamflow_exposition::{Event, Format, Parser};
use streamflow_gotext::shortest;

use Verdict::{No, Ok};

const QUOTED: &str = "names in quotes are Prometheus 3's";

enum Verdict {
    /// Accepted, with these samples: `name{label="value"} value`, sorted.
    Ok(&'static [&'static str]),
    /// Refused, with this reason.
    No(&'static str),
}

struct Case {
    body: &'static [u8],
    verdict: Verdict,
    differs: Option<&'static str>,
}

const fn case(body: &'static [u8], verdict: Verdict) -> Case {
    Case { body, verdict, differs: None }
}

const fn differs(body: &'static [u8], verdict: Verdict, reason: &'static str) -> Case {
    Case { body, verdict, differs: Some(reason) }
}

const TEXT: &[Case] = &[
    case(b"", Ok(&[])),
    case(b"\n\n \t\n", Ok(&[])),
    case(b"m 1", Ok(&["m{} 1"])),
    case(b"m 1\n", Ok(&["m{} 1"])),
    case(b"m\t 1 \n", Ok(&["m{} 1"])),
    differs(b"  m 1\n", Ok(&["m{} 1"]), "2.42 takes the blanks for a part of the name"),
    case(b"m 1\r\n", No("expected a number")),
    case(b"\r\n", No("expected a metric name, a comment or an empty line")),
    case(b"m\n", No("expected a value after the metric")),
    case(b"m{}\n", No("expected a value after the metric")),
    case(b"1m 1\n", No("expected a metric name, a comment or an empty line")),
    case(b"m+Inf\n", Ok(&["m{} +Inf"])),
    case(b"m{}1\n", Ok(&["m{} 1"])),
    case(b"m nan\n", Ok(&["m{} NaN"])),
    case(b"m +nan\n", No("expected a number")),
    case(b"m -INF\n", Ok(&["m{} -Inf"])),
    case(b"m infinity\n", Ok(&["m{} +Inf"])),
    case(b"m 0x1p-2\n", No("expected a number")),
    case(b"m 0x10\n", No("expected a number")),
    case(b"m 1_000\n", No("expected a number")),
    case(b"m 1e400\n", No("expected a number")),
    case(b"m 1e-400\n", Ok(&["m{} 0"])),
    case(b"m .5\n", Ok(&["m{} 0.5"])),
    case(b"m 5.\n", Ok(&["m{} 5"])),
    case(b"m 1,5\n", No("expected a number")),
    case(b"m \xff\n", No("the value is not valid UTF-8")),
    case(b"m 1 -5\n", No("expected a timestamp or the end of the line")),
    case(b"m 1 1.5\n", No("expected the end of the line")),
    case(b"m 1 99999999999999999999\n", No("the timestamp is out of range")),
    case(b"m 1 5 6\n", No("expected the end of the line")),
    case(b"m 1 # {a=\"b\"} 2\n", No("expected a timestamp or the end of the line")),
    case(b"m{a=\"b\"} 1\n", Ok(&["m{a=\"b\"} 1"])),
    case(b"m { a = \"b\" , } 1\n", Ok(&["m{a=\"b\"} 1"])),
    case(b"m{a=\"b\"c=\"d\"} 1\n", Ok(&["m{a=\"b\",c=\"d\"} 1"])),
    case(b"m{a=\"b\",,} 1\n", No("expected a label name")),
    case(b"m{,} 1\n", No("expected a label name")),
    case(b"m{a=\"\"} 1\n", Ok(&["m{} 1"])),
    case(b"m{a=\"x\ny\"} 1\n", Ok(&["m{a=\"x\ny\"} 1"])),
    case(b"m{a=\"x\\ny\\\\\\\"\\x\"} 1\n", Ok(&["m{a=\"x\ny\\\"\\x\"} 1"])),
    case(b"m{a=\"b} 1\n", No("expected a label value in quotes")),
    case(b"m{a=b} 1\n", No("expected a label value in quotes")),
    case(b"m{a=\"b\"\n} 1\n", No("expected a label name")),
    case(b"m{a=\"\xff\"} 1\n", No("the series is not valid UTF-8")),
    case("m{a=\"ü\"} 1\n".as_bytes(), Ok(&["m{a=\"ü\"} 1"])),
    case("mü 1\n".as_bytes(), No("expected a number")),
    case(b"m{a:b=\"c\"} 1\n", No("expected = after the label name")),
    case(b"a:b 1\n", Ok(&["a:b{} 1"])),
    case(b"{a=\"b\"} 1\n", No("the metric has no name")),
    differs(b"{\"m.n\",a=\"b\"} 1\n", Ok(&["m.n{a=\"b\"} 1"]), QUOTED),
    differs(b"m{\"a.b\"=\"c\"} 1\n", Ok(&["m{a.b=\"c\"} 1"]), QUOTED),
    case(b"m{\"n\"} 1\n", No("the metric name is already set")),
    differs(b"# TYPE \"m.n\" gauge\n", Ok(&[]), QUOTED),
    case(b"# any comment \xff\n#\n##\n#m\nm 1\n", Ok(&["m{} 1"])),
    case(b"# TYPE m counter\n# HELP m text\nm 1\n", Ok(&["m{} 1"])),
    case(b"#TYPE m nothing\n", Ok(&[])),
    case(b"# TYPES m nothing\n", Ok(&[])),
    case(b"# TYPE m nothing\n", No("invalid metric type \"nothing\"")),
    case(b"# TYPE m\n", No("invalid metric type \"\"")),
    case(b"# TYPE m counter \n", No("invalid metric type \"counter \"")),
    case(b"# TYPE m  counter\n", No("invalid metric type \" counter\"")),
    case(b"# TYPE m counter\r\n", No("invalid metric type \"counter\\r\"")),
    case(b"# TYPE m unknown\n", No("invalid metric type \"unknown\"")),
    case(b"# TYPE 1m counter\n", No("expected a metric name")),
    case(b"# HELP\n", Ok(&[])),
    case(b"# HELP m\n", Ok(&[])),
    case(b"# HELP \n", No("expected a metric name")),
    case(b"# HELP m \xff\n", No("the text is not valid UTF-8")),
    case(b"# HELP m-n text\n", Ok(&[])),
    case(b"# UNIT m seconds\n", Ok(&[])),
    case(b"# EOF\nm 1\n", Ok(&["m{} 1"])),
    case(b"m 1\nn 2\nm{a=\"b\"} 3", Ok(&["m{a=\"b\"} 3", "m{} 1", "n{} 2"])),
    case(b"<html><body>404</body></html>\n", No("expected a metric name, a comment or an empty line")),
    case(b"{\"status\":\"success\"}\n", No("expected = after the label name")),
    differs(
        b"m 1\n\0n 2\n",
        No("expected a metric name, a comment or an empty line"),
        "there NUL ends the body",
    ),
];

const OPEN_METRICS: &[Case] = &[
    case(b"# EOF\n", Ok(&[])),
    case(b"# EOF", Ok(&[])),
    case(b"", No("the body does not end with # EOF")),
    case(b"m 1\n", No("the body does not end with # EOF")),
    case(b"m 1", No("the body does not end with # EOF")),
    case(b"# EOF\n\n", No("unexpected data after # EOF")),
    case(b"# EOFX", No("unexpected data after # EOF")),
    case(b"m 1\n# EOF\nm 2\n", No("unexpected data after # EOF")),
    case(b"\n# EOF\n", No("expected a metric name or #")),
    case(b"# a comment\n# EOF\n", No("expected TYPE, HELP, UNIT or EOF after #")),
    case(b"#TYPE m counter\n# EOF\n", No("expected TYPE, HELP, UNIT or EOF after #")),
    case(b"# TYPE m unknown\n# HELP m a\\nb\n# EOF\n", Ok(&[])),
    case(b"# TYPE m stateset\n# TYPE n info\n# TYPE o gaugehistogram\n# EOF\n", Ok(&[])),
    case(b"# TYPE m untyped\n# EOF\n", No("invalid metric type \"untyped\"")),
    case(b"# TYPE m\n# EOF\n", No("expected a blank and a text after the metric name")),
    case(b"# HELP m\n# EOF\n", No("expected a blank and a text after the metric name")),
    case(b"# HELP m \n# EOF\n", Ok(&[])),
    case(b"# HELP m \xff\n# EOF\n", No("the text is not valid UTF-8")),
    case(b"# HELP m x", No("the body does not end with # EOF")),
    case(b"# UNIT m_seconds seconds\n# EOF\n", Ok(&[])),
    case(b"# UNIT m seconds\n# EOF\n", No("the unit is not a suffix of the metric name")),
    case(b"# UNIT mseconds seconds\n# EOF\n", No("the unit is not a suffix of the metric name")),
    case(b"# UNIT m \n# EOF\n", Ok(&[])),
    case(b"m 1\n# EOF\n", Ok(&["m{} 1"])),
    case(b"m  1\n# EOF\n", No("expected a number")),
    case(b"m 1 \n# EOF\n", No("expected a number")),
    case(b" m 1\n# EOF\n", No("expected a metric name or #")),
    case(b"m\t1\n# EOF\n", No("expected a blank and a value after the metric")),
    case(b"m 1\r\n# EOF\n", No("expected a number")),
    case(b"m{a=\"b\",c=\"d\"} 1\n# EOF\n", Ok(&["m{a=\"b\",c=\"d\"} 1"])),
    case(b"m{a=\"b\", c=\"d\"} 1\n# EOF\n", No("expected a label name")),
    differs(b"m{a=\"b\",} 1\n# EOF\n", Ok(&["m{a=\"b\"} 1"]), "Prometheus 3 allows the last comma"),
    case(b"m{a=\"b\"c=\"d\"} 1\n# EOF\n", No("expected a comma or } after the label")),
    case(b"m{a=\"x\ny\"} 1\n# EOF\n", No("expected a label value in quotes")),
    case(b"m {a=\"b\"} 1\n# EOF\n", No("expected a number")),
    case(b"m{a=\"b\"}1\n# EOF\n", No("expected a blank and a value after the metric")),
    differs(b"{\"m.n\",a=\"b\"} 1\n# EOF\n", Ok(&["m.n{a=\"b\"} 1"]), QUOTED),
    case(b"m 1 1700000000.5\n# EOF\n", Ok(&["m{} 1"])),
    case(b"m 1 -1e3\n# EOF\n", Ok(&["m{} 1"])),
    case(b"m 1 NaN\n# EOF\n", No("expected a finite timestamp")),
    case(b"m 1 +Inf\n# EOF\n", No("expected a finite timestamp")),
    case(b"m 1 soon\n# EOF\n", No("expected a number")),
    case(b"m 1 5 6\n# EOF\n", No("expected the end of the line")),
    case(b"m_total 1 # {a=\"b\"} 0.5\n# EOF\n", Ok(&["m_total{} 1"])),
    case(b"m_total 1 5 # {a=\"b\"} 0.5 6\n# EOF\n", Ok(&["m_total{} 1"])),
    case(b"m_total 1 # {} 0.5\n# EOF\n", Ok(&["m_total{} 1"])),
    case(b"m_total 1 # {a=\"b\"}\n# EOF\n", No("expected a blank and a value after the exemplar's labels")),
    case(b"m_total 1 # {a=\"b\"} x\n# EOF\n", No("expected a number")),
    case(b"m_total 1 # {a=\"b\"} 1 NaN\n# EOF\n", No("expected a finite timestamp")),
    case(b"m_total 1 # {a} 1\n# EOF\n", No("expected = after the label name")),
    case(b"m_total 1 # a comment\n# EOF\n", No("expected a number")),
];

fn all_cases() -> impl Iterator<Item = (Format, &'static Case)> {
    let text = TEXT.iter().map(|case| (Format::Text, case));
    text.chain(OPEN_METRICS.iter().map(|case| (Format::OpenMetrics, case)))
}

/// The samples as the table writes them: labels sorted, empty ones left out as every store does.
fn samples(format: Format, body: &[u8]) -> Result<Vec<String>, String> {
    let mut samples = Vec::new();
    for event in Parser::new(format, body) {
        if let Event::Sample(sample) = event.map_err(|error| error.to_string())? {
            let labels: Vec<_> = sample.labels().collect();
            samples.push(shown(labels.iter().map(|(name, value)| (&**name, &**value)), sample.value));
        }
    }
    samples.sort();
    Result::Ok(samples)
}

fn shown<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, value: f64) -> String {
    let (mut name, mut rest) = ("", BTreeSet::new());
    for (label, value) in labels {
        match label {
            "__name__" => name = value,
            _ if value.is_empty() => {}
            _ => drop(rest.insert(format!("{label}=\"{value}\""))),
        }
    }
    format!("{name}{{{}}} {}", rest.into_iter().collect::<Vec<_>>().join(","), shortest(value))
}

#[test]
fn every_body_has_its_verdict() {
    for (format, case) in all_cases() {
        let body = String::from_utf8_lossy(case.body);
        match (&case.verdict, samples(format, case.body)) {
            (Ok(expected), Result::Ok(found)) => assert_eq!(&found, expected, "{format:?} {body:?}"),
            (No(reason), Err(error)) => {
                assert!(error.contains(&format!(": {reason} in ")), "{format:?} {body:?}: {error}");
            }
            (_, found) => panic!("{format:?} {body:?}: {found:?}"),
        }
    }
}

#[test]
fn errors_name_the_line_and_show_the_text() {
    let error = samples(Format::Text, b"a 1\n# TYPE b counter\nb{c=\"d\"} one\n").unwrap_err();
    assert_eq!(error, r#"line 3: expected a number in "b{c=\"d\"} one\n""#);
    let error = samples(Format::OpenMetrics, b"a 1\nb 2\n").unwrap_err();
    assert_eq!(error, r#"line 3: the body does not end with # EOF in """#);
    let long = format!("a{{b=\"{}\"", "x".repeat(100_000));
    assert!(samples(Format::Text, long.as_bytes()).unwrap_err().len() < 250);
}

#[test]
fn timestamps_exemplars_and_metadata() {
    let body = "# HELP m a \\\"b\\\\\\nc\n# TYPE m counter\nm_total{a=\"b\"} 1 1700000000.5 # {t=\"x\\\"\",u=\"y\"} 0.25 1.5\n# EOF\n";
    let mut events = Parser::new(Format::OpenMetrics, body.as_bytes()).map(Result::unwrap);
    assert_eq!(events.next(), Some(Event::Help { family: "m".into(), help: "a \"b\\\nc".into() }));
    assert!(matches!(events.next(), Some(Event::Type { kind, .. }) if kind.as_str() == "counter"));
    let Some(Event::Sample(sample)) = events.next() else { panic!("no sample") };
    assert_eq!((sample.series, sample.timestamp_ms), ("m_total{a=\"b\"}", Some(1_700_000_000_500)));
    let exemplar = &sample.exemplars[0];
    assert_eq!((exemplar.value, exemplar.timestamp_ms), (0.25, Some(1500)));
    let labels: Vec<_> = exemplar.labels().collect();
    assert_eq!(labels, [("t".into(), "x\"".into()), ("u".into(), "y".into())]);
    assert_eq!(events.next(), None);

    let mut events = Parser::new(Format::Text, b"# HELP m a \\\"b\\n\nm 1 1700000000500").map(Result::unwrap);
    assert_eq!(events.next(), Some(Event::Help { family: "m".into(), help: "a \\\"b\n".into() }));
    assert!(
        matches!(events.next(), Some(Event::Sample(sample)) if sample.timestamp_ms == Some(1_700_000_000_500))
    );
}

#[test]
fn prometheus_agrees() {
    let Some(program) = streamflow_oracles::prometheus("no verdict was compared") else { return };
    let cases: Vec<_> = all_cases().collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(&listener));
    let prometheus = Prometheus::start(&program, &address.to_string(), cases.len());
    let up = prometheus.all_scraped(cases.len());
    let found = prometheus.query(r#"{case!="",__name__!~"up|scrape_.*"}"#);
    for (index, (format, case)) in cases.iter().enumerate() {
        let index_text = index.to_string();
        let of_case = |(labels, _): &&Series| labels.contains(&("case".into(), index_text.clone()));
        let theirs = found.iter().filter(of_case).map(|(labels, value)| {
            let own = |(name, _): &&(String, String)| !["case", "instance", "job"].contains(&name.as_str());
            shown(labels.iter().filter(own).map(|(name, value)| (&**name, &**value)), *value)
        });
        let mut theirs: Vec<_> = theirs.collect();
        theirs.sort();
        let theirs = (up[index], theirs);
        let ours = samples(*format, case.body);
        let ours = (ours.is_ok(), ours.unwrap_or_default());
        let body = String::from_utf8_lossy(case.body);
        match case.differs {
            None => assert_eq!(ours, theirs, "{format:?} {body:?}: ours, Prometheus's"),
            Some(reason) => assert_ne!(ours, theirs, "{format:?} {body:?} no longer differs: {reason}"),
        }
    }
}

/// Answers `GET /N` with case N until the test's process ends.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.unwrap());
        let mut request = String::new();
        while stream.read_line(&mut request).is_ok_and(|length| length > 2) {}
        let path = request.split(' ').nth(1).unwrap_or_default();
        let Some((format, case)) = path.strip_prefix('/').and_then(|n| all_cases().nth(n.parse().ok()?))
        else {
            continue;
        };
        let content_type = match format {
            Format::Text => "text/plain; version=0.0.4",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0",
        };
        let length = case.body.len();
        let head =
            format!("HTTP/1.0 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
        let _ = stream.get_mut().write_all(&[head.as_bytes(), case.body].concat());
    }
}

/// A Prometheus on a free port; killed when dropped.
struct Prometheus {
    process: Child,
    address: String,
    _dir: tempfile::TempDir,
}

type Series = (Vec<(String, String)>, f64);

impl Prometheus {
    fn start(program: &Path, target: &str, cases: usize) -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let mut config = String::from(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n\
             scrape_configs: [{job_name: cases, honor_timestamps: false, static_configs: [",
        );
        for index in 0..cases {
            config += &format!(
                "{{targets: ['{target}'], labels: {{__metrics_path__: /{index}, case: '{index}'}}}},"
            );
        }
        config += "]}]\n";
        let config_file = dir.path().join("prometheus.yml");
        std::fs::write(&config_file, config).unwrap();
        let mut process = Command::new(program)
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("STREAMFLOW_PROMETHEUS={}: {error}", program.display()));
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut prometheus = Self { process, address: String::new(), _dir: dir };
        let mut said = String::new();
        while prometheus.address.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "prometheus ended: {said}");
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["msg"] == "Listening on" {
                prometheus.address = entry["address"].as_str().unwrap().to_owned();
            }
            said += &line;
        }
        // Read on, so that the pipe never fills.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        prometheus
    }

    /// `up` of every case, once all of them were scraped.
    fn all_scraped(&self, cases: usize) -> Vec<bool> {
        let started = Instant::now();
        loop {
            let up = self.query("up");
            if up.len() == cases {
                let case =
                    |series: &Series| series.0.iter().find(|(name, _)| name == "case").unwrap().1.clone();
                let mut up: Vec<(usize, bool)> =
                    up.iter().map(|series| (case(series).parse().unwrap(), series.1 == 1.0)).collect();
                up.sort_unstable();
                return up.into_iter().map(|(_, up)| up).collect();
            }
            assert!(started.elapsed() < Duration::from_secs(120), "{} of {cases} were scraped", up.len());
        }
    }

    fn query(&self, expression: &str) -> Vec<Series> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let Result::Ok(mut stream) = TcpStream::connect(&self.address) else { return Vec::new() };
        write!(stream, "GET /api/v1/query?query={encoded} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // Not ready yet: an answer without JSON.
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let series = body["data"]["result"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let labels = |metric: &serde_json::Value| {
            metric.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        series
            .iter()
            .map(|series| (labels(&series["metric"]), text(&series["value"][1]).parse().unwrap()))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
