//! What both servers hold when the scenarios are run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};

use crate::servers::Series;

/// 2023-11-14T22:13:20Z.
const START_MS: i64 = 1_700_000_000_000;

/// Nothing that scrapes itself: the one target does not answer.
pub const CONFIG: &str = "\
global: {scrape_interval: 1h, scrape_timeout: 1s, evaluation_interval: 1h}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]
scrape_configs:
- job_name: silent
  static_configs: [{targets: ['127.0.0.1:1'], labels: {zone: here}}]
";

pub const RULES: &str = "\
groups:
- name: service
  interval: 1h
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations: {summary: 'it is down'}
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
    labels: {team: core}
";

/// Ten minutes at 15 s, the last of them at 600 s.
pub fn series() -> Vec<Series> {
    let steps = || (0..=40_u32).map(|step| (START_MS + i64::from(step) * 15_000, f64::from(step)));
    let every = |value: f64| steps().map(move |(time, _)| (time, value));
    let times = |factor: f64| steps().map(move |(time, step)| (time, step * factor));
    let once = |value: f64| [(START_MS, value)];
    let mut series = vec![
        Series::new(&[("__name__", "up"), ("job", "api"), ("instance", "a:1")], every(1.0)),
        Series::new(
            &[("__name__", "up"), ("job", "api"), ("instance", "b:1")],
            steps().map(|(time, step)| (time, if step > 20.0 { 0.0 } else { 1.0 })),
        ),
        Series::new(&[("__name__", "temperature"), ("room", "kitchen")], every(21.5)),
    ];
    for (code, instance, factor) in [("200", "a:1", 15.0), ("200", "b:1", 30.0), ("500", "a:1", 1.0)] {
        let labels = [("__name__", "requests_total"), ("job", "api"), ("instance", instance), ("code", code)];
        series.push(Series::new(&labels, times(factor)));
    }
    for (le, factor) in [("0.1", 1.0), ("0.5", 3.0), ("+Inf", 4.0)] {
        let labels = [("__name__", "latency_seconds_bucket"), ("job", "api"), ("le", le)];
        series.push(Series::new(&labels, times(factor)));
    }
    for (kind, value) in [
        ("nan", f64::NAN),
        ("positive", f64::INFINITY),
        ("negative", f64::NEG_INFINITY),
        ("small", 1e-7),
        ("large", 1e21),
        ("third", 1.0 / 3.0),
    ] {
        series.push(Series::new(&[("__name__", "special"), ("kind", kind)], once(value)));
    }
    series.push(Series::new(&[("__name__", "texts"), ("note", "a\"b\\c<d>&é\nf")], once(1.0)));
    series
}

/// A target that says something of its metrics, on a thread of its own; stops with the process.
pub fn target() -> SocketAddr {
    const BODY: &str = "# HELP a_counter Of a target.\n# TYPE a_counter counter\na_counter 1\n\
                        # HELP a_gauge Of a target.\n# TYPE a_gauge gauge\na_gauge 1\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The request is not of interest; reading to its end keeps the answer from being reset.
            let lines = BufReader::new(&stream).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
            write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).unwrap();
        }
    });
    address
}

/// Scrapes that target, under labels that are always the same.
pub fn talking(target: SocketAddr) -> String {
    format!(
        "scrape_configs: [{{job_name: talking, scrape_interval: 200ms, static_configs: [{{targets: ['{target}'],
          labels: {{zone: here, instance: 'a:1'}}}}]}}]\n"
    )
}
