//! Files and their verdicts, the same as promtool's (beside STREAMFLOW_PROMETHEUS; see `tools/fetch-debian.sh`).

use std::process::Command;

use super::*;

/// What a case expects.
enum Verdict {
    /// Accepted, with a warning that holds each of these.
    Good(&'static [&'static str]),
    /// Refused on this line, with a message that holds this.
    Bad(u64, &'static str),
}
use Verdict::{Bad, Good};

/// Verdicts that promtool 2.42 shares.
const SHARED: &[(&str, Verdict)] = &[
    ("", Good(&[])),
    ("# nothing\n", Good(&[])),
    ("global:\n", Good(&[])),
    ("scrape_configs:\n", Good(&[])),
    ("global: {scrape_interval: 15s, external_labels: {site: a, replica: 1}}\n", Good(&[])),
    (
        "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: ['localhost:9090', 'b']\n    labels: {x: y, n: 5}\n",
        Good(&[]),
    ),
    ("scrape_configs:\n- job_name: a\n  static_configs:\n  - targets:\n    labels:\n", Good(&[])),
    ("scrape_configs:\n- job_name: a\n  params: {module: [x], 'match[]': ['{a=\"b\"}']}\n", Good(&[])),
    (
        "scrape_configs:\n- {job_name: a, body_size_limit: 10MB, sample_limit: 5, honor_labels: yes}\n",
        Good(&[]),
    ),
    (
        "scrape_configs:\n- {job_name: a, basic_auth: {username: x, password: 123}, follow_redirects: false}\n",
        Good(&[]),
    ),
    (
        "scrape_configs:\n- {job_name: a, authorization: {credentials: x}, tls_config: {ca_file: ca.pem}}\n",
        Good(&[]),
    ),
    (
        "scrape_configs:\n- {job_name: a, bearer_token: x, tls_config: {insecure_skip_verify: true}}\n",
        Good(&[]),
    ),
    (
        "scrape_configs:\n- {job_name: a, file_sd_configs: [{files: ['a.yml', 'b/*.json'], refresh_interval: 1m}]}\n",
        Good(&[]),
    ),
    (
        "scrape_configs:\n- {job_name: a, relabel_configs: [{source_labels: [b], regex: 1, target_label: c}]}\n",
        Good(&[]),
    ),
    ("scrape_configs:\n- {job_name: a, scrape_interval: 5s}\n", Good(&[])),
    ("rule_files: ['rules/*.yml', a.yml]\n", Good(&[])),
    (
        "alerting:\n  alertmanagers:\n  - scheme: https\n    path_prefix: /am\n    timeout: 5s\n    static_configs: [{targets: [a]}]\n",
        Good(&[]),
    ),
    ("alerting:\n  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n", Good(&[])),
    (
        "remote_write:\n- url: http://a/b\n  headers: {X-Scope-OrgID: t}\n  queue_config: {capacity: 5, max_backoff: 1s}\n  write_relabel_configs: [{regex: x, action: labeldrop}]\n",
        Good(&[]),
    ),
    ("scrape_configs:\n- {job_name: a, proxy_url: 'http://p:1'}\n", Good(&["proxy_url"])),
    (
        "storage: {tsdb: {out_of_order_time_window: 1h}}\ntracing: {endpoint: a}\n",
        Good(&["line 1: storage", "line 2: tracing"]),
    ),
    ("remote_read: [{url: 'http://a'}]\n", Good(&["remote_read"])),
    (
        "remote_write:\n- url: http://a/b\n  send_exemplars: true\n  metadata_config: {send: false}\n",
        Good(&[]),
    ),
    ("- a\n", Bad(1, "expected a mapping")),
    ("global: [\n", Bad(0, "")),
    ("globl: {}\n", Bad(1, "unknown key \"globl\" in the file, did you mean global?")),
    ("global:\n  scrape_intervall: 5s\n", Bad(2, "did you mean scrape_interval?")),
    ("global:\n  scrape_interval: 5\n", Bad(2, "not a duration: \"5\"")),
    ("global:\n  scrape_interval: 1.5m\n", Bad(2, "not a duration")),
    (
        "global:\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
        Bad(3, "the timeout is above the scrape_interval"),
    ),
    ("global: {}\nglobal: {}\n", Bad(2, "global")),
    ("scrape_configs:\n- static_configs: []\n", Bad(2, "needs a job_name")),
    ("scrape_configs:\n- job_name: a\n- job_name: a\n", Bad(3, "the job \"a\" is there twice")),
    (
        "scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
        Bad(4, "above the scrape_interval"),
    ),
    ("scrape_configs:\n- job_name: a\n  metric_path: /x\n", Bad(3, "did you mean metrics_path?")),
    ("scrape_configs:\n- job_name: a\n  honor_labels: maybe\n", Bad(3, "")),
    (
        "scrape_configs:\n- job_name: a\n  scrape_fallback_protocol: PrometheusText0.0.4\n",
        Bad(3, "did you mean fallback_scrape_protocol?"),
    ),
    ("scrape_configs:\n- null\n", Bad(1, "an entry of scrape_configs is empty")),
    ("scrape_configs:\n- job_name: a\n  sample_limit: -5\n", Bad(3, "")),
    ("scrape_configs:\n- job_name: a\n  body_size_limit: 10\n", Bad(3, "not a size: \"10\"")),
    ("scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: b\n", Bad(4, "")),
    ("scrape_configs:\n- job_name: a\n  static_configs:\n  - target: [b]\n", Bad(4, "did you mean targets?")),
    ("scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: []}]\n", Bad(3, "needs at least one file")),
    (
        "scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: [a.txt]}]\n",
        Bad(3, "\"a.txt\" is no file of targets"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: ['a/*/b.yml']}]\n",
        Bad(3, "is no file of targets"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: ['http://b:80']\n",
        Bad(4, "the target \"http://b:80\" is no address"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: explode}\n",
        Bad(4, "unknown relabel action \"explode\""),
    ),
    (
        "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - regex: '('\n    target_label: b\n",
        Bad(4, "regex \"(\""),
    ),
    (
        "scrape_configs:\n- job_name: a\n  metric_relabel_configs: [{source_labels: [a]}]\n",
        Bad(3, "needs a target_label"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  relabel_configs: [{source_label: [a]}]\n",
        Bad(3, "did you mean source_labels?"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  basic_auth: {username: a}\n  bearer_token: b\n",
        Bad(3, "set only one of"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  basic_auth: {password: a, password_file: b}\n",
        Bad(3, "password or password_file"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  authorization: {type: Basic, credentials: b}\n",
        Bad(3, "type cannot be basic"),
    ),
    (
        "scrape_configs:\n- job_name: a\n  authorization: {credentials: a, credentials_file: b}\n",
        Bad(3, "credentials_file"),
    ),
    ("scrape_configs:\n- {job_name: a, tls_config: {cert_file: a}}\n", Bad(2, "set both")),
    ("rule_files: ['a/*/b.yml']\n", Bad(1, "* may stand in the last part of the path alone")),
    ("alerting:\n  alertmanagers:\n  - api_version: v3\n", Bad(3, "expected v2")),
    ("alerting:\n  alertmanager: []\n", Bad(2, "did you mean alertmanagers?")),
    ("remote_write:\n- name: a\n", Bad(2, "needs a url")),
    (
        "remote_write:\n- {url: 'http://a', name: n}\n- {url: 'http://b', name: n}\n",
        Bad(3, "the name \"n\" is there twice"),
    ),
    (
        "remote_write:\n- url: http://a\n  headers: {Content-Type: x}\n",
        Bad(3, "the header Content-Type is set otherwise"),
    ),
];

/// Verdicts in which we differ from 2.42, with the reason.
const OWN: &[(&str, Verdict, &str)] = &[
    ("scrape_configs:\n- {job_name: a, scrape_protocols: [PrometheusText0.0.4]}\n", Good(&[]), "of 3.x"),
    ("global: {sample_limit: 5}\n", Good(&[]), "of 3.x"),
    ("global:\n  external_labels:\n    a-b: c\n", Good(&[]), "of 3.x"),
    (
        "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: [b]\n    labels: {'a-b': c}\n",
        Good(&[]),
        "of 3.x",
    ),
    ("scrape_configs: [{job_name: a, fallback_scrape_protocol: PrometheusText0.0.4}]\n", Good(&[]), "of 3.x"),
    ("scrape_config_files: ['a/*.yml']\n", Good(&[]), "of 3.x"),
    ("remote_write:\n- url: http://B\u{dc}CHER:9090/\n", Bad(2, "is no URL"), "hosts are ASCII"),
    ("otlp: {convert_histograms_to_nhcb: true}\n", Good(&[]), "of 3.x"),
    (
        "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: pod}]\n",
        Good(&["line 3: kubernetes_sd_configs in a scrape config is not supported"]),
        "Debian builds it without Kubernetes",
    ),
    ("remote_write:\n- url: ''\n", Bad(2, "needs a url"), "there accepted, and nothing is sent"),
];

fn check(text: &str, verdict: &Verdict) {
    match (verdict, parse(text, Path::new("dir/prometheus.yml"))) {
        (Good(expected), Ok((_, warnings))) => {
            assert_eq!(warnings.len(), expected.len(), "{text}\n{warnings:?}");
            for (warning, expected) in warnings.iter().zip(*expected) {
                assert!(warning.contains(expected), "{text}\n{warning}");
            }
        }
        (Bad(line, message), Err(error)) => {
            assert!(error.message.contains(message), "{text}\n{error}");
            assert!(*line == 0 || error.line == *line, "{text}\n{error}, expected line {line}");
            assert!(error.to_string().starts_with("dir/prometheus.yml: line "), "{error}");
        }
        (_, found) => panic!("{text}\n{found:?}"),
    }
}

#[test]
fn files() {
    SHARED.iter().for_each(|(text, verdict)| check(text, verdict));
    OWN.iter().for_each(|(text, verdict, _)| check(text, verdict));
}

#[test]
fn promtool_agrees() {
    let Some(promtool) = streamflow_oracles::promtool() else { return };
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("prometheus.yml");
    let cases = SHARED.iter().map(|(text, verdict)| (text, verdict, None));
    for (text, verdict, differs) in
        cases.chain(OWN.iter().map(|(text, verdict, why)| (text, verdict, Some(why))))
    {
        std::fs::write(&file, text).unwrap();
        let output =
            Command::new(&promtool).args(["check", "config", "--syntax-only"]).arg(&file).output().unwrap();
        let same = output.status.success() == matches!(verdict, Good(_));
        assert_eq!(
            same,
            differs.is_none(),
            "{text}\n{differs:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn defaults_and_inheritance() {
    let text = "global: {scrape_interval: 5s, sample_limit: 7}\nscrape_configs:\n- job_name: a\n- job_name: b\n  \
                scrape_interval: 1m\n  sample_limit: 3\n  basic_auth: {username: 7, password_file: p}\n  \
                file_sd_configs: [{files: [t.yml]}]\nrule_files: [r.yml, /abs.yml]\n";
    let (config, _) = parse(text, Path::new("/etc/prometheus.yml")).unwrap();
    let [a, b] = &config.scrape_configs[..] else { panic!() };
    let seconds = |duration: Duration| duration.as_secs();
    assert_eq!((seconds(a.scrape_interval), seconds(a.scrape_timeout), a.sample_limit), (5, 5, 7));
    assert_eq!((seconds(b.scrape_interval), seconds(b.scrape_timeout), b.sample_limit), (60, 5, 3));
    assert_eq!((a.metrics_path.as_str(), a.scheme.as_str(), a.honor_timestamps), ("/metrics", "http", true));
    let basic = b.http.basic_auth.as_ref().unwrap();
    assert_eq!((basic.username.as_str(), basic.password_file.as_deref()), ("7", Some(Path::new("/etc/p"))));
    assert_eq!(b.discovery.file_sd_configs[0].files, ["/etc/t.yml"]);
    assert_eq!(config.rule_files, ["/etc/r.yml", "/abs.yml"]);
    let debug = format!(
        "{:?}",
        parse("remote_write: [{url: 'http://a', bearer_token: hidden}]", Path::new("")).unwrap()
    );
    assert!(debug.contains("<secret>") && !debug.contains("hidden"), "{debug}");
}
