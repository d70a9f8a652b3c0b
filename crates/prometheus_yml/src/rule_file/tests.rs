//! Good and bad rule files, for us and for `promtool check rules`.

use super::*;
use streamflow_oracles::{promtool, run};

/// Whether it is good, and the rules of one group.
const RULES: &[(bool, &str)] = &[
    (true, "- record: a:b\n  expr: up"),
    (true, "- record: a\n  expr: sum by (job) (rate(x[5m]))\n  labels: {team: infra, n: 1, t: true, f: 1.5}"),
    (
        true,
        "- alert: A\n  expr: up == 0\n  for: 5m\n  keep_firing_for: 1h30m\n  labels: {severity: page}\n  annotations: {summary: 'down {{ $labels.instance }}'}",
    ),
    (true, "- alert: A b c\n  expr: up"),
    (true, "- alert: A\n  expr: up\n  for: 0\n  labels: ~\n  annotations: ~"),
    (true, "- alert: A\n  expr: up\n  labels: {empty: ~}"),
    (true, "- record: a\n  expr: |\n    sum(\n      up\n    )"),
    (true, "- record: a\n  expr: 1"),
    (true, "- alert: A\n  expr: up\n- alert: A\n  expr: up"),
    (true, "- record: a\n  expr: up\n  labels: {x: '{{ bad'}"),
    (
        true,
        "- alert: A\n  expr: up\n  annotations: {x: '{{ if true }}a{{ else if false }}b{{ else }}c{{ end }}{{ range query \"up\" }}{{ . | value | humanize }}{{ end }}'}",
    ),
    (
        true,
        "- alert: A\n  expr: up\n  annotations: {x: '{{ $labels.x | printf \"%s\" | toUpper }} {{ with $x := 1 }}{{ $x }}{{ end }}'}",
    ),
    (
        true,
        "- alert: A\n  expr: up\n  annotations: {x: '}} {', y: '{{/* c */}}', z: '{{define \"x\"}}{{end}}{{block \"y\" .}}{{end}}'}",
    ),
    (
        true,
        "- alert: A\n  expr: up\n  annotations: {x: '{{ (query \"up\" | first).Value }} {{ nil }} {{ `r` }} {{ $ }} {{ . }}'}",
    ),
    (true, "- alert: A\n  expr: up\n  labels:\n    __x: a"),
    (true, "- alert: A\n  expr: up\n  annotations:\n    __name__: a"),
    (false, "- record: 'a{b}'\n  expr: up"),
    (false, "- record: a\n  alert: A\n  expr: up"),
    (false, "- expr: up"),
    (false, "- record: a"),
    (false, "- record: a\n  expr: ''"),
    (false, "- record: a\n  expr: sum(up"),
    (false, "- record: a\n  expr: nosuch(up)"),
    (false, "- record: a\n  expr: up\n  for: 5m"),
    (false, "- record: a\n  expr: up\n  keep_firing_for: 5m"),
    (false, "- record: a\n  expr: up\n  annotations: {x: y}"),
    (false, "- alert: A\n  expr: up\n  for: 5"),
    (false, "- alert: A\n  expr: up\n  for: -5m"),
    (false, "- alert: A\n  expr: up\n  for: 1m1h"),
    (false, "- alert: A\n  expr: up\n  labels: {__name__: x}"),
    (false, "- alert: A\n  expr: up\n  labels: {'': x}"),
    (false, "- alert: A\n  expr: up\n  annotations: {'': x}"),
    (false, "- alert: A\n  expr: up\n  nosuch: x"),
    (false, "- alert: A\n  alert: B\n  expr: up"),
    (false, "- alert: A\n  expr: up\n  labels: {a: [1]}"),
    (false, "- alert: A\n  expr: up\n  labels: {x: '{{ $labels.x'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ nosuch 1 }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ $nosuch }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ if true }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ end }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ else }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ 1 | 2 }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ (1 }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ 1) }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ \"abc }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ 1x }}'}"),
    (true, "- alert: A\n  expr: up\n  annotations: {x: '{{ $value | }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ break }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ 1 := 2 }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ range $a, $b, $c := .Labels }}{{ end }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ /* c */ }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ define \"x\" }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ template x }}'}"),
    (false, "- alert: A\n  expr: up\n  annotations: {x: '{{ 1.x }}'}"),
    (false, "- text"),
];

/// Whether it is good, and the whole file.
const FILES: &[(bool, &str)] = &[
    (true, ""),
    (true, "# nothing\n"),
    (true, "groups:\n"),
    (true, "groups: []\n"),
    (true, "groups:\n- name: a\n"),
    (true, "groups:\n- name: a\n  interval: 30s\n  limit: 10\n  rules: []\n- name: b\n  rules:\n"),
    (true, "groups:\n- name: a\n  limit: -1\n"),
    (
        true,
        "groups:\n- {name: a, limit: 010}\n- {name: b, limit: 0x10}\n- {name: c, limit: 1_0}\n- {name: d, limit: 1e3}\n- {name: e, limit: 5.0}\n",
    ),
    (false, "groups:\n- name: a\n  limit: '5'\n"),
    (true, "groups: [null]\n"),
    (true, "groups: []\n---\ngroups: [{}]\n"),
    (false, "groups:\n- name: a\n- name: a\n"),
    (false, "groups:\n- rules: []\n"),
    (false, "groups:\n- name: ''\n"),
    (false, "groups:\n- name: a\n  interval: soon\n"),
    (false, "groups:\n- name: a\n  limit: x\n"),
    (false, "groups:\n- name: a\n  nosuch: 1\n"),
    (false, "group:\n- name: a\n"),
    (false, "groups: {}\n"),
    (false, "- a\n"),
    (false, "groups: [\n"),
    (false, "text\n"),
];

/// Keys that the promtool of the tests does not know yet.
const NEWER: &[(bool, &str)] = &[
    (
        true,
        "groups:\n- name: a\n  query_offset: 30s\n  labels: {team: infra}\n  rules: [{record: b, expr: up}]\n",
    ),
    (false, "groups:\n- name: a\n  query_offset: x\n"),
    (false, "groups:\n- name: a\n  labels: {'': c}\n"),
    (
        true,
        "groups:\n- name: a\n  rules: [{record: a-b, expr: up}, {record: 1a, expr: up, labels: {b.c: d}}]\n",
    ),
    (true, "groups:\n- name: a\n  rules: [{alert: A, expr: up, labels: {a-b: c}, annotations: {d.e: f}}]\n"),
];

fn files() -> impl Iterator<Item = (bool, String)> {
    let rules = RULES.iter().map(|(good, rules)| {
        let lines: Vec<String> = rules.lines().map(|line| format!("  {line}\n")).collect();
        (*good, format!("groups:\n- name: g\n  rules:\n{}", lines.concat()))
    });
    rules.chain(FILES.iter().map(|(good, text)| (*good, (*text).to_owned())))
}

#[test]
fn verdicts() {
    let newer = NEWER.iter().map(|(good, text)| (*good, (*text).to_owned()));
    let wrong: Vec<String> = files()
        .chain(newer)
        .filter_map(|(good, text)| match parse_rules(&text, Path::new("rules.yml")) {
            Ok(_) if !good => Some(format!("taken:\n{text}")),
            Err(error) if good => Some(format!("refused ({error}):\n{text}")),
            Err(error) => {
                let incomplete = error.0.is_empty() || error.0.iter().any(|problem| problem.line == 0);
                incomplete.then(|| format!("no line ({error}):\n{text}"))
            }
            Ok(_) => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn verdicts_are_those_of_prometheus() {
    let Some(program) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    // The good ones in one run, the bad ones one by one.
    let (good, bad): (Vec<_>, Vec<_>) = files().partition(|(good, _)| *good);
    let names: Vec<String> = (0..good.len()).map(|at| format!("good{at}.yml")).collect();
    for ((_, text), name) in good.iter().zip(&names) {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut arguments = vec!["check", "rules"];
    arguments.extend(names.iter().map(String::as_str));
    let (content, said) = run(&program, dir.path(), &arguments);
    if !content {
        wrong.push(said);
    }
    for (_, text) in bad {
        std::fs::write(dir.path().join("bad.yml"), &text).unwrap();
        if run(&program, dir.path(), &["check", "rules", "bad.yml"]).0 {
            wrong.push(format!("taken by promtool:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn problems_say_where_and_what_to_do() {
    let text = "groups:\n- name: g\n  rules:\n  - record: up:sum\n    expr: sum(up)\n  - alert: Down\n    expr: up ==\n    for: soon\n";
    let error = parse_rules(text, Path::new("rules.yml")).unwrap_err();
    let said = error.to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with(
            "rules.yml:7: group \"g\", rule 2 \"Down\": cannot parse the expression \"up ==\": "
        ),
        "{said}"
    );
    assert_eq!(
        lines[1],
        "rules.yml:8: group \"g\", rule 2 \"Down\": for: not a valid duration string: \"soon\"; write a duration as 30s, 5m or 1h30m"
    );
}

#[test]
fn rules_are_read() {
    let text = "groups:\n- name: g\n  interval: 30s\n  limit: 010\n  labels: {team: a, x: y}\n  rules:\n  - alert: A\n    expr: up==0\n    for: 5m\n    labels: {team: b}\n  - alert: A\n    expr: up\n    labels: {team: b}\n";
    let file = parse_rules(text, Path::new("rules.yml")).unwrap();
    let group = &file.groups[0];
    assert_eq!((group.interval_ms, group.limit, group.rules.len()), (Some(30_000), 8, 2));
    let rule = &group.rules[0];
    assert_eq!((rule.name.as_str(), rule.query.as_str()), ("A", "up == 0"));
    assert_eq!(
        rule.labels,
        BTreeMap::from([("team".to_owned(), "b".to_owned()), ("x".to_owned(), "y".to_owned())])
    );
    assert_eq!(rule.alert.as_ref().unwrap().for_ms, 300_000);
    assert_eq!(file.warnings.len(), 1, "{:?}", file.warnings);
}
