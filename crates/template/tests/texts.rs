//! Templates with the texts that Prometheus gives: one table, for us and for `promtool test rules`.

#![allow(clippy::unwrap_used)]

use serde_json::json;
use streamflow_oracles::{promtool, run};
use streamflow_template::{Data, Environment, LabelMap, Sample, Template};

/// Value of the alert, template, text.
const CASES: &[(f64, &str, &str)] = &[
    (1.0, "plain text, no template", "plain text, no template"),
    (1.0, "{{ $labels.job }} {{ .Labels.code }} {{ $value }} {{ .Value }}", "api 500 1 1"),
    (1.0, "[{{ $labels.missing }}]", "[]"),
    (1.0, "{{ $labels }}", "map[code:500 instance:host.example.org:8000 job:api]"),
    (
        1.0,
        "{{ $externalLabels.region }} {{ .ExternalLabels.region }} {{ $externalURL }}",
        "eu eu http://prom.example/base",
    ),
    // Numbers.
    (0.1234, "{{ $value }}", "0.1234"),
    (1e6, "{{ $value }}", "1e+06"),
    (123456.0, "{{ $value }}", "123456"),
    (1234567.0, "{{ $value }}", "1.234567e+06"),
    (1e21, "{{ $value }}", "1e+21"),
    (1e6, "{{ printf \"%v %g %s\" $value $value (print $value) }}", "1e+06 1e+06 1e+06"),
    (0.00001, "{{ $value }}", "1e-05"),
    (0.0001, "{{ $value }}", "0.0001"),
    (f64::NAN, "{{ $value }}", "NaN"),
    (f64::INFINITY, "{{ $value }} {{ humanize $value }} {{ humanizeDuration $value }}", "+Inf +Inf +Inf"),
    (-0.5, "{{ $value }}", "-0.5"),
    // humanize.
    (1234567.0, "{{ humanize $value }} {{ $value | humanize }}", "1.235M 1.235M"),
    (0.0, "{{ humanize $value }} {{ humanize1024 $value }} {{ humanizeDuration $value }}", "0 0 0s"),
    (0.00123, "{{ humanize $value }} {{ humanizeDuration $value }}", "1.23m 1.23ms"),
    (-1500.0, "{{ humanize $value }}", "-1.5k"),
    (1e30, "{{ humanize $value }}", "1e+06Y"),
    (1048576.0, "{{ humanize1024 $value }}", "1Mi"),
    (1000.0, "{{ humanize1024 $value }}", "1000"),
    (0.5, "{{ humanize1024 $value }}", "0.5"),
    (
        f64::NAN,
        "{{ humanize $value }} {{ humanize1024 $value }} {{ humanizePercentage $value }} {{ humanizeTimestamp $value }}",
        "NaN NaN NaN% NaN",
    ),
    (1.5, "{{ humanizeDuration $value }}", "1.5s"),
    (3661.9, "{{ humanizeDuration $value }}", "1h 1m 1s"),
    (-93784.0, "{{ humanizeDuration $value }}", "-1d 2h 3m 4s"),
    (61.0, "{{ $value | humanizeDuration }}", "1m 1s"),
    (0.123456, "{{ humanizePercentage $value }}", "12.35%"),
    (1423064603.5, "{{ humanizeTimestamp $value }}", "2015-02-04 15:43:23.5 +0000 UTC"),
    (1423064603.0, "{{ $value | humanizeTimestamp }}", "2015-02-04 15:43:23 +0000 UTC"),
    (
        1423064603.0,
        "{{ toTime $value }} {{ (toTime $value).Year }} {{ (toTime $value).Format \"15:04:05\" }}",
        "2015-02-04 15:43:23 +0000 UTC 2015 15:43:23",
    ),
    (1.0, "{{ humanize \"2048\" }} {{ humanizeDuration \"90\" }}", "2.048k 1m 30s"),
    (1.0, "{{ humanizePercentage 1 }}", "100%"),
    (1.0, "{{ parseDuration \"1h30m\" }} {{ parseDuration \"1d\" | humanizeDuration }}", "5400 1d 0h 0m 0s"),
    // Texts.
    (
        1.0,
        "{{ $labels.job | toUpper }} {{ toLower \"ABC\" }} {{ title \"hello big-world x_y\" }}",
        "API abc Hello Big-World X_y",
    ),
    (1.0, "{{ reReplaceAll \"(.*):(.*)\" \"$2 at ${1}\" $labels.instance }}", "8000 at host.example.org"),
    (1.0, "{{ $labels.instance | reReplaceAll \":.*\" \"\" }}", "host.example.org"),
    (1.0, "{{ if match \"^host\" $labels.instance }}yes{{ else }}no{{ end }}", "yes"),
    (
        1.0,
        "{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }} {{ stripPort \"[::1]:80\" }} {{ stripDomain \"10.0.0.1:80\" }}",
        "host.example.org host:8000 ::1 10.0.0.1:80",
    ),
    (1.0, "{{ graphLink \"up{job='x y'} > 0\" }}", "/graph?g0.expr=up%7Bjob%3D%27x+y%27%7D+%3E+0&g0.tab=0"),
    (1.0, "{{ tableLink \"up\" }}", "/graph?g0.expr=up&g0.tab=1"),
    (
        1.0,
        "{{ safeHtml \"<b>\" }} {{ html \"<a href='x'>\" }} {{ urlquery \"a b&c\" }} {{ js \"it's\" }}",
        "<b> &lt;a href=&#39;x&#39;&gt; a+b%26c it\\'s",
    ),
    // printf.
    (0.1234, "{{ printf \"%.2f\" $value }} {{ $value | printf \"%.1f%%\" }}", "0.12 0.1%"),
    (
        1234.5678,
        "{{ printf \"%e %g %v %f %.3g %8.2f|%-8.2f|%08.2f %+.1f\" $value $value $value $value $value $value $value $value $value }}",
        "1.234568e+03 1234.5678 1234.5678 1234.567800 1.23e+03  1234.57|1234.57 |01234.57 +1234.6",
    ),
    (
        1.0,
        "{{ printf \"%s %q %v %5s|%-5s| %x %.2s\" $labels.job $labels.job $labels.job $labels.job $labels.job $labels.job $labels.job }}",
        "api \"api\" api   api|api  | 617069 ap",
    ),
    (
        1.0,
        "{{ printf \"%d %5d %05d %x %X %c %t %t %o %b\" 42 42 42 255 255 65 true false 8 5 }}",
        "42    42 00042 ff FF A true false 10 101",
    ),
    (
        1.5,
        "{{ printf \"%d\" $value }} {{ printf \"%s\" $value }} {{ printf \"%d\" }} {{ printf \"a\" 1 }} {{ printf \"%\" }}",
        "%!d(float64=1.5) %!s(float64=1.5) %!d(MISSING) a%!(EXTRA int=1) %!(NOVERB)",
    ),
    (1.5, "{{ printf \"%T %T %T %T\" $value 1 \"x\" true }}", "float64 int string bool"),
    (255.5, "{{ printf \"%x\" $value }}", "0x1.ffp+07"),
    (1.0, "{{ printf \"%[2]d %[1]d\" 1 2 }}", "2 1"),
    (1.0, "{{ print 1 2 \"x\" 3 }}{{ println 1 \"x\" }}", "1 2x31 x\n"),
    // if, else, comparisons.
    (3.0, "{{ if gt $value 2.0 }}high{{ else }}low{{ end }}", "high"),
    (3.0, "{{ if lt $value 1.0 }}a{{ else if le $value 3.0 }}b{{ else }}c{{ end }}", "b"),
    (
        3.0,
        "{{ if and (eq $labels.job \"api\") (ne $labels.code \"404\") }}x{{ end }}{{ if or false (not true) }}y{{ end }}",
        "x",
    ),
    (3.0, "{{ if eq $labels.code \"404\" \"500\" }}one of{{ end }}", "one of"),
    (
        3.0,
        "{{ eq 1 1 }} {{ ge 2.5 2.5 }} {{ lt \"a\" \"b\" }} {{ not 0 }} {{ and 1 0 2 }} {{ or 0 \"\" \"z\" }}",
        "true true true true 0 z",
    ),
    (f64::NAN, "{{ if eq $value $value }}same{{ else }}other{{ end }}", "other"),
    (
        3.0,
        "{{ len $labels }} {{ len \"four\" }} {{ index $labels \"job\" }} {{ slice \"abcdef\" 1 3 }}",
        "3 4 api bc",
    ),
    (
        0.0,
        "{{ if $value }}t{{ else }}f{{ end }}{{ if $labels.missing }}t{{ else }}f{{ end }}{{ if $labels }}t{{ end }}",
        "fft",
    ),
    // range, with, variables, trimming, comments, literals.
    (
        1.0,
        "{{ range $name, $text := $labels }}{{ $name }}={{ $text }};{{ end }}",
        "code=500;instance=host.example.org:8000;job=api;",
    ),
    (1.0, "{{ range $labels }}{{ . }},{{ else }}none{{ end }}", "500,host.example.org:8000,api,"),
    (1.0, "{{ range query \"nothing\" }}x{{ else }}none{{ end }}", "none"),
    (
        1.0,
        "{{ range query \"errors\" | sortByLabel \"code\" }}{{ .Labels.code }}:{{ .Value }} {{ end }}",
        "404:7 500:3 ",
    ),
    (
        1.0,
        "{{ range $i, $e := query \"errors\" | sortByLabel \"code\" }}{{ if $i }}, {{ end }}{{ $i }}={{ $e | value }}{{ end }}",
        "0=7, 1=3",
    ),
    (
        1.0,
        "{{ range $n := query \"errors\" | sortByLabel \"code\" }}{{ if eq $n.Value 7.0 }}{{ continue }}{{ end }}{{ label \"code\" $n }}{{ break }}{{ end }}",
        "500",
    ),
    (
        1.0,
        "{{ query \"errors{code='500'}\" | first | value }} {{ with query \"errors{code='500'}\" }}{{ . | first | label \"job\" }}{{ end }}",
        "3 api",
    ),
    (1.0, "{{ with query \"nothing\" }}x{{ else }}none{{ end }} {{ len (query \"errors\") }}", "none 2"),
    (
        1.0,
        "{{ query \"errors{code='500'}\" | first | strvalue }}|{{ first (query \"errors{code='500'}\") }}",
        "|{map[__name__:errors code:500 instance:host.example.org:8000 job:api] 3}",
    ),
    (
        1.0,
        "{{ (query \"errors{code='500'}\" | first).Labels.code }} {{ (index (query \"errors{code='500'}\") 0).Value }}",
        "500 3",
    ),
    (1.0, "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"),
    (1.0, "a  {{- 1 -}}  b {{/* nothing */}} c{{- /* nothing */ -}} d", "a1b  cd"),
    (
        1.0,
        "{{ \"a\\tb\\u00e9\" }} {{ `raw\\n` }} {{ 'x' }} {{ 0x1F }} {{ 1e3 }} {{ 1_000 }} {{ true }} {{ -2 }} {{ .5 }}",
        "a\tbé raw\\n 120 31 1000 1000 true -2 0.5",
    ),
    (1.0, "{{ with $x := 5 }}{{ $x }}{{ . }}{{ end }}{{ $.Value }}", "551"),
    (
        1.0,
        "{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.job }}{{ template \"t\" }}",
        "<api><<no value>>",
    ),
    (1.0, "{{ with args 1 \"two\" }}{{ .arg0 }} {{ .arg1 }} {{ .arg2 }}{{ end }}", "1 two <no value>"),
    (1.0, "multi\nline {{ $value }}\n", "multi\nline 1\n"),
    (1.0, "{{ $labels.job | printf \"%s-%s\" \"x\" | toUpper }}", "X-API"),
    // Errors become the text.
    (
        1.0,
        "{{ query \"nothing\" | first }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:133: executing \"__alert_Case\" at <first>: error calling first: first() called on vector with no elements>",
    ),
    (
        1.0,
        "x\n {{ humanize \"abc\" }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:2:4: executing \"__alert_Case\" at <humanize \"abc\">: error calling humanize: strconv.ParseFloat: parsing \"abc\": invalid syntax>",
    ),
    (
        1.0,
        "{{ gt $value 2 }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:115: executing \"__alert_Case\" at <gt $value 2>: error calling gt: incompatible types for comparison>",
    ),
    (
        1.0,
        "{{ .Nope }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:115: executing \"__alert_Case\" at <.Nope>: can't evaluate field Nope in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>",
    ),
    (
        1.0,
        "{{ toUpper $value }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:123: executing \"__alert_Case\" at <$value>: wrong type for value; expected string; got float64>",
    ),
    (
        1.0,
        "{{ toUpper 5 }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:123: executing \"__alert_Case\" at <5>: expected string; found 5>",
    ),
    (
        1.0,
        "{{ humanize }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:115: executing \"__alert_Case\" at <humanize>: wrong number of args for humanize: want 1 got 0>",
    ),
    (
        1.0,
        "{{ nil }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:115: executing \"__alert_Case\" at <nil>: nil is not a command>",
    ),
    (
        1.0,
        "{{ range 3.5 }}{{ end }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:121: executing \"__alert_Case\" at <3.5>: range can't iterate over 3.5>",
    ),
    (
        1.0,
        "{{ $value.x }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:121: executing \"__alert_Case\" at <$value.x>: can't evaluate field x in type float64>",
    ),
    (
        1.0,
        "{{ template \"none\" }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:124: executing \"__alert_Case\" at <{{template \"none\"}}>: template \"none\" not defined>",
    ),
    (
        1.0,
        "{{ index (query \"errors\") 9 }}",
        "<error expanding template: error executing template __alert_Case: template: __alert_Case:1:115: executing \"__alert_Case\" at <index (query \"errors\") 9>: error calling index: index out of range: 9>",
    ),
];

/// What the expressions of the templates find.
fn answer(expression: &str) -> Result<Vec<Sample>, String> {
    let sample = |code: &str, value: f64| {
        let labels =
            [("__name__", "errors"), ("code", code), ("instance", "host.example.org:8000"), ("job", "api")];
        Sample { labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), value }
    };
    match expression {
        "errors" => Ok(vec![sample("500", 3.0), sample("404", 7.0)]),
        "errors{code='500'}" => Ok(vec![sample("500", 3.0)]),
        "nothing" => Ok(Vec::new()),
        other => Err(format!("unexpected query {other}")),
    }
}

fn expand(value: f64, text: &str) -> String {
    let labels = [("code", "500"), ("instance", "host.example.org:8000"), ("job", "api")];
    let map = |pairs: &[(&str, &str)]| -> std::sync::Arc<LabelMap> {
        LabelMap::from_iter(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).into()
    };
    let data = Data {
        labels: map(&labels),
        external_labels: map(&[("region", "eu")]),
        external_url: "http://prom.example/base".to_owned(),
        value,
        histogram: None,
    };
    let environment = Environment { query: &answer, external_url: "http://prom.example/base", now_ms: 0 };
    match Template::parse("Case", text) {
        Ok(template) => template.expand_or_error(data, &environment),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn texts_are_as_expected() {
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|(value, text, expected)| {
            let found = expand(*value, text);
            (found != *expected).then(|| format!("{text}\n  expected {expected:?}\n  found    {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn texts_are_those_of_prometheus() {
    let Some(program) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (mut groups, mut tests) = (Vec::new(), Vec::new());
    for (at, (value, text, expected)) in CASES.iter().enumerate() {
        // Each in a group of its own; `number` keeps apart the alerts, which all have one name.
        groups.push(json!({ "name": format!("g{at}"), "rules": [{
            "alert": "Case",
            "expr": format!("errors{{code=\"500\"}} * 0 + {value}"),
            "labels": { "number": at.to_string() },
            "annotations": { "text": text },
        }]}));
        tests.push(json!({
            "exp_labels": { "number": at.to_string(), "job": "api", "code": "500", "instance": "host.example.org:8000" },
            "exp_annotations": { "text": expected },
        }));
    }
    std::fs::write(dir.path().join("rules.yml"), json!({ "groups": groups }).to_string()).unwrap();
    let unit = json!({
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "external_labels": { "region": "eu" },
            "external_url": "http://prom.example/base",
            "input_series": [
                { "series": "errors{job=\"api\",instance=\"host.example.org:8000\",code=\"500\"}", "values": "3 3" },
                { "series": "errors{job=\"api\",instance=\"host.example.org:8000\",code=\"404\"}", "values": "7 7" },
            ],
            "alert_rule_test": [{ "eval_time": "1m", "alertname": "Case", "exp_alerts": tests }],
        }],
    });
    std::fs::write(dir.path().join("test.yml"), unit.to_string()).unwrap();
    let (content, said) = run(&program, dir.path(), &["test", "rules", "test.yml"]);
    assert!(content, "{said}");
}

/// Apart from the table: promtool gives these functions no URL and they fail there.
#[test]
fn the_server_knows_its_url() {
    assert_eq!(expand(1.0, "{{ externalURL }} {{ pathPrefix }}"), "http://prom.example/base /base");
}

#[test]
fn hostile_templates_end() {
    for text in [
        "{{".repeat(1000),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        "{{ if true }}".repeat(50_000),
        format!("{{{{ if true }}}}{}", "{{ else if true }}".repeat(5_000)),
        "{{ 'é }} \u{0} {{ \"\\".to_owned(),
    ] {
        assert!(Template::parse("Case", &text).is_err());
    }
    let doubled = |by: &str, times: usize| {
        format!("{{{{ $x := \"ab\" }}}}{}", format!("{{{{ $x = {by} }}}}").repeat(times))
    };
    // A thousand groups, each of them all of a text.
    let groups = format!(
        "{}{{{{ reReplaceAll \".+\" (reReplaceAll \"ab\" \"$$0\" $x) (printf \"%99999d\" 1) }}}}",
        doubled("print $x $x", 10)
    );
    // A range in a range in a range: one assignment runs thousands of times.
    let nested =
        format!("{}{{{{ $x = args $x }}}}{}", "{{ range $.Labels }}".repeat(9), "{{ end }}".repeat(9));
    for (text, found) in [
        (&doubled("print $x $x", 60), "more than 16777216 bytes"),
        (&doubled("args $x $x", 60), "more than 16777216 bytes"),
        (&doubled("reReplaceAll \"\" $x $x", 60), "longer than 16777216 bytes"),
        (&groups, "longer than 16777216 bytes"),
        (&format!("{{{{ $x := 1 }}}}{nested}"), "more than 16777216 bytes"),
    ] {
        let text = expand(1.0, text);
        assert!(text.contains(found), "{}", &text[..200.min(text.len())]);
    }
    for (text, found) in [
        (
            "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
            "exceeded maximum template depth",
        ),
        ("{{ printf \"%999999d\" 1 }}{{ printf \"%999999d\" 1 }}", "longer than"),
    ] {
        let text = expand(1.0, text);
        assert!(text.contains(found), "{}", &text[..200.min(text.len())]);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Pieces of templates in any order are refused or expanded, never more.
    #[test]
    fn no_text_panics(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..12),
        any in ".{0,8}",
    ) {
        let text = pieces.concat() + &any;
        if let Ok(template) = Template::parse("Case", &text) {
            let data = Data {
                labels: LabelMap::from([("job".to_owned(), "é".to_owned())]).into(),
                external_labels: LabelMap::new().into(),
                external_url: any,
                value: 1e300,
                histogram: None,
            };
            let environment = Environment { query: &answer, external_url: "é", now_ms: i64::MAX };
            template.expand_or_error(data, &environment);
        }
    }
}

/// What templates are made of, and what they are broken with.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "{{ $value ",
    " | ",
    "humanizeTimestamp",
    "humanizeDuration",
    " printf \"%.99999f%x%q%5c\" ",
    "$labels.job ",
    ".Value ",
    "(",
    ")",
    "range ",
    "if ",
    "else ",
    "end ",
    "with ",
    "$x := ",
    "\"é\"",
    "'é'",
    "`",
    "toTime ",
    "(toTime 1).Format \"2006%é.000\" ",
    "-1e300 ",
    "0x1p-2 ",
    "1.5 ",
    "index ",
    "slice ",
    "query \"errors\" ",
    "first ",
    "nil ",
    "stripPort ",
    "stripDomain ",
    "title ",
    "reReplaceAll \"(\" \"\" ",
    "parseDuration \"1h\" ",
    "humanize1024 ",
    "\n",
    "é",
    "{{ $value | humanizeTimestamp }}",
    "{{ range $i, $e := query \"errors\" }}",
    "{{ end }}",
    "{{ break }}",
    "{{/* c */}}",
];
