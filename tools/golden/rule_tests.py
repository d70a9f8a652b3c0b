"""What promtool 3.5 says to files of unit tests, rule files and configurations: the expectations of crates/prometheus/tests/checks.rs.

    STREAMFLOW_PROMTOOL=/path/to/promtool python3 tools/golden/rule_tests.py > crates/prometheus/tests/golden/checks.json

Each case has its files and the exit code of `promtool test rules`, `check rules` or `check config`.
"""

import json
import os
import pathlib
import subprocess
import tempfile

RULES = """groups:
- name: g
  rules:
  - {record: r, expr: x}
- name: g2
  rules:
  - {record: r2, expr: r * 2}
  - {alert: Al, expr: x > 0, for: 1m, labels: {sev: page, empty: ''}, annotations: {v: '{{ $value }} {{ $labels.instance }} {{ $externalURL }} {{ $externalLabels.a }}'}}
- name: offset
  query_offset: 1m
  rules:
  - {record: late, expr: x}
"""
FAILING = "groups: [{name: f, rules: [{record: f, expr: 'x * on(job) group_left() y'}]}]\n"
DUPLICATES = "groups: [{name: d, rules: [{record: r, expr: x}, {record: r, expr: y}]}]\n"
BAD = "groups: [{name: b, rules: [{record: a, expr: 'x{'}]}]\n"
FILES = {"rules.yml": RULES, "failing.yml": FAILING, "duplicates.yml": DUPLICATES, "bad.yml": BAD, "targets.yml": "- targets: [a]\n", "bad_targets.yml": "- {targets: [a], more: 1}\n"}

SERIES = "input_series: [{series: 'x{instance=\"i\"}', values: '1 2 3 4 5 6'}]"


def group(*tests, head="rule_files: [rules.yml]\n", series=SERIES, more=""):
    return f"{head}tests: [{{{series}{more}, {', '.join(tests)}}}]\n"


def expr(of, samples, time="1m"):
    text = of.replace("'", "''")
    return f"promql_expr_test: [{{expr: '{text}', eval_time: {time}, exp_samples: {samples}}}]"


def alert(name, alerts, time="2m"):
    return f"alert_rule_test: [{{eval_time: {time}, alertname: {name}, exp_alerts: {alerts}}}]"


FIRING = "[{exp_labels: {instance: i, sev: page}, exp_annotations: {v: '%s'}}]"
H = "{{schema:0 sum:5 count:4 buckets:[1 2 1]}}"
PLAIN = "tests: [{input_series: [{series: x, values: '%s'}], promql_expr_test: [{expr: '%s', eval_time: %s, exp_samples: %s}]}]\n"

TESTS = [
    "", "{}\n", "[]\n", "tests: []\n", "tests:\n", "testz: []\n", "rule_files: [no.yml]\ntests: []\n", "rule_files: ['no*.yml']\ntests: []\n", "rule_files: ['r*.yml']\ntests: []\n", "rule_files: [bad.yml]\ntests: []\n", "rule_files: [bad.yml]\ntests: [{}]\n", "rule_files: [duplicates.yml]\ntests: [{}]\n",
    "tests: [{interval: 1m, start_timestamp: 5}]\n", "tests: [{}]\n", "tests: [{interval: x}]\n", "tests: [{interval: 5}]\n", "evaluation_interval: 0\ntests: [{}]\n", "evaluation_interval: -1m\ntests: [{}]\n", "group_eval_order: [g, g]\ntests: []\n", "rule_files: [rules.yml]\ngroup_eval_order: [zz]\ntests: [{}]\n", "fuzzy_compare: maybe\n",
    group(expr("x", "[{labels: 'x{instance=\"i\"}', value: 2}]")), group(expr("x", "[{labels: 'x{instance=\"i\"}', value: 3}]")), group(expr("x", "[{labels: 'x', value: 2}]")), group(expr("x", "[]")), group(expr("nothing", "[]")), group(expr("nothing", "null")),
    group(expr("r2", "[{labels: 'r2{instance=\"i\"}', value: 4}]")), group(expr("r2", "[{labels: 'r2{instance=\"i\"}', value: 2}]"), head="rule_files: [rules.yml]\ngroup_eval_order: [g2, g]\n"), group(expr("r2", "[{labels: 'r2{instance=\"i\"}', value: 4}]"), head="rule_files: [rules.yml]\ngroup_eval_order: [g, g2]\n"),
    group(expr("late", "[{labels: 'late{instance=\"i\"}', value: 1}]")), group(expr("late", "[{labels: 'late{instance=\"i\"}', value: 2}]")),
    group(expr("1", "[{value: 1}]")), group(expr("1", "[{labels: '{}', value: 1}]")), group(expr("0/0", "[{value: .nan}]")), group(expr("1/0", "[{value: +Inf}]")), group(expr("1/0", "[{value: .inf}]")), group(expr('"s"', "[]")), group(expr("x[1m]", "[]")), group(expr("x{", "[]")), group(expr("x", "[{labels: 'x{a=5}', value: 1}]")), group(expr("x", "[{labels: 'x{', value: 1}]")), group(expr("sum_over_time(x[10m])", "[{labels: '{instance=\"i\"}', value: 3}]")), group(expr("count_over_time(x[10m:])", "[{labels: '{instance=\"i\"}', value: 2}]")),
    group(expr("vector(1) or x", "[{value: 1}, {labels: 'x{instance=\"i\"}', value: 2}]")), group(expr("x or vector(1)", "[{labels: 'x{instance=\"i\"}', value: 2}, {value: 1}]")), group(expr("label_replace(x, \"a\", \"b\", \"\", \"\") + on() group_left() vector(1) * 0", "[{labels: '{instance=\"i\", a=\"b\"}', value: 2}]")),
    group(alert("Al", FIRING % "3 i  ")), group(alert("Al", FIRING % "4 i  ")), group(alert("Al", "[]")), group(alert("Al", "[{}]")), group(alert("Al", FIRING % "3 i http://u b"), more=", external_labels: {a: b}, external_url: 'http://u'"), group(alert("Al", "[]", "30s")), group(alert("Al", FIRING % "2 i  ", "90s")), group(alert("Al", FIRING % "2 i  ", "1m")), group(alert("None", "[]")), group(alert("None", "[{}]")), group(alert("''", "[]")), group("alert_rule_test: [{eval_time: 1m}]"),
    group(alert("Al", FIRING.replace("sev: page", "sev: page, empty: ''") % "3 i  ")), group(alert("Al", "[{exp_labels: {instance: i, sev: page, alertname: Al}, exp_annotations: {v: '3 i  '}}]")), group(alert("Al", FIRING % "3 i  ").replace("exp_alerts", "exp_alertz")), group(alert("Al", FIRING % "6 i  ", "10m")), group(alert("Al", "[]", "11m")), group(alert("Al", FIRING % "6 i  ", "9m59s")),
    group(expr("x", "[{labels: 'x{instance=\"i\"}', value: 2}]"), alert("Al", FIRING % "9 i  ")), "rule_files: [failing.yml]\ntests: [{input_series: [{series: 'x{job=\"a\"}', values: 1}, {series: 'y{job=\"a\",i=\"1\"}', values: 1}, {series: 'y{job=\"a\",i=\"2\"}', values: 1}], promql_expr_test: [{expr: f, eval_time: 0, exp_samples: []}]}]\n",
    PLAIN % ("1 2", "x", "1m", "[{labels: x, value: 2}]"), PLAIN % ("1x3", "x", "3m", "[{labels: x, value: 1}]"), PLAIN % ("1+2x3", "x", "3m", "[{labels: x, value: 7}]"), PLAIN % ("1 _ 3", "x", "1m", "[{labels: x, value: 1}]"), PLAIN % ("1 stale", "x", "1m", "[]"), PLAIN % ("_x3 5", "x", "3m", "[{labels: x, value: 5}]"), PLAIN % ("1 a", "x", "0", "[]"), PLAIN % ("1", "x", "5m", "[{labels: x, value: 1}]"), PLAIN % ("1", "x", "4m59s", "[{labels: x, value: 1}]"), PLAIN % ("0.1", "x + 0.2", "0", "[{value: 0.3}]"), "fuzzy_compare: true\n" + PLAIN % ("0.1", "x + 0.2", "0", "[{value: 0.3}]"), "fuzzy_compare: true\n" + PLAIN % ("0.1", "x + 0.2", "0", "[{value: 0.30000000000001}]"),
    "evaluation_interval: 1m\ntests: [{interval: 15s, input_series: [{series: x, values: '1 2 3 4 5 6 7 8'}], promql_expr_test: [{expr: x, eval_time: 1m30s, exp_samples: [{labels: x, value: 5}]}]}]\n", "evaluation_interval: 1m\ntests: [{interval: 15s, input_series: [{series: x, values: '1 2 3 4 5 6 7 8'}], promql_expr_test: [{expr: x, eval_time: 1m30s, exp_samples: [{labels: x, value: 7}]}]}]\n", "evaluation_interval: 7s\ntests: [{interval: 1s, input_series: [{series: x, values: '1x100'}], promql_expr_test: [{expr: 'count_over_time(x[1m:])', eval_time: 70s, exp_samples: [{value: 8}]}]}]\n",
    "tests: [{input_series: [{series: 'x{', values: '1'}]}]\n", "tests: [{input_series: [{series: 'x', values: '1'}, {series: 'x', values: '2'}], promql_expr_test: [{expr: x, eval_time: 0, exp_samples: [{labels: x, value: 2}]}]}]\n", "tests: [{input_series: [{series: 'x', values: ''}]}]\n", "tests: [{input_series: [{series: '', values: '1'}]}]\n", "tests: [{input_series: [{values: '1'}]}]\n", "tests: [{input_series: [{series: '{\"a.b\"}', values: '1'}], promql_expr_test: [{expr: '{\"a.b\"}', eval_time: 0, exp_samples: [{labels: '{\"a.b\"}', value: 1}]}]}]\n",
    "rule_files: [rules.yml]\nevaluation_interval: 30s\ntests: [{interval: 1m, input_series: [{series: x, values: '1 2 3'}], promql_expr_test: [{expr: 'count_over_time(r[5m])', eval_time: 2m, exp_samples: [{value: 5}]}]}]\n",
    PLAIN % (H, "x", "0", f"[{{labels: x, histogram: '{H}'}}]"), PLAIN % (H, "x", "0", f"[{{labels: x, histogram: '{H.replace('sum:5', 'sum:6')}'}}]"), PLAIN % (H, "x", "0", "[{labels: x, value: 4}]"), PLAIN % (H, "x", "0", "[{labels: x}]"), PLAIN % ("4", "x", "0", f"[{{labels: x, histogram: '{H}'}}]"), PLAIN % (H, "x", "0", f"[{{labels: x, value: 1, histogram: '{H}'}}]"),
    PLAIN % (H + "+{{sum:1 count:1 buckets:[1]}}x3", "x", "3m", "[{labels: x, histogram: '{{schema:0 sum:8 count:7 buckets:[4 2 1]}}'}]"), PLAIN % (H + "x2", "x", "2m", f"[{{labels: x, histogram: '{H}'}}]"), PLAIN % (f"1 {H} 3", "x", "1m", f"[{{labels: x, histogram: '{H}'}}]"), PLAIN % (f"1 {H} 3", "x", "2m", "[{labels: x, value: 3}]"), PLAIN % (f"{H} stale", "x", "1m", "[]"), PLAIN % (f"{H} _", "x", "1m", f"[{{labels: x, histogram: '{H}'}}]"),
    PLAIN % (H, "histogram_count(x)", "0", "[{value: 4}]"), PLAIN % (H, "x * 2", "0", "[{histogram: '{{schema:0 sum:10 count:8 buckets:[2 4 2]}}'}]"), PLAIN % (H, "x", "0", "[{labels: x, histogram: '{{schema:0 sum:5 count:4 buckets:[1 2 1 0]}}'}]"), PLAIN % (H, "x", "0", f"[{{labels: x, histogram: '{H} {H}'}}]"), PLAIN % (H, "x", "0", "[{labels: x, histogram: '5'}]"), PLAIN % (H, "x", "0", "[{labels: x, histogram: '{{schema:0'}]"), PLAIN % ("{{nonsense:1}}", "x", "0", "[]"), PLAIN % ("{{schema:99 count:1 buckets:[1]}}", "x", "0", "[]"),
    PLAIN % (H.replace("schema:0", "schema:0 counter_reset_hint:gauge"), "x", "0", f"[{{labels: x, histogram: '{H}'}}]"), PLAIN % ("{{schema:-53 sum:5 count:4 custom_values:[1 2] buckets:[1 2 1]}}", "histogram_quantile(0.5, x)", "0", "[{value: 1.5}]"), PLAIN % ("{{schema:-53 sum:5 count:4 custom_values:[1 2] buckets:[1 2 1]}}", "x", "0", "[{labels: x, histogram: '{{schema:-53 sum:5 count:4 custom_values:[1 2] buckets:[1 2 1]}}'}]"), PLAIN % (H + "+" + H + "x5", "rate(x[2m]) * 60", "2m", f"[{{histogram: '{H.replace('schema:0', 'schema:0 counter_reset_hint:gauge')}'}}]"),
    group(expr("r2", "[{labels: r2, histogram: '{{schema:0 sum:10 count:8 buckets:[2 4 2]}}'}]", "0"), head="rule_files: [rules.yml]\ngroup_eval_order: [g, g2]\n", series="input_series: [{series: x, values: '%s'}]" % H), group(expr("r", "[{labels: r, histogram: '%s'}]" % H, "0"), series="input_series: [{series: x, values: '%s'}]" % H),
    PLAIN % (H + "x2", "x", "2m", f"[{{labels: x, histogram: '{H.replace('schema:0', 'counter_reset_hint:not_reset')}'}}]"), PLAIN % (H + "+{{sum:1 count:1 buckets:[1]}}x3", "x", "3m", "[{labels: x, histogram: '{{sum:8 count:7 counter_reset_hint:not_reset buckets:[4 2 1]}}'}]"), group(expr("r", "[{labels: r, histogram: '%s'}]" % H), series="input_series: [{series: x, values: '%sx3'}]" % H), PLAIN % (f"{H} {{{{count:1 buckets:[1]}}}}", "x", "1m", "[{labels: x, histogram: '{{count:1 counter_reset_hint:reset buckets:[1]}}'}]"), PLAIN % (f"{H} {{{{count:1 buckets:[1]}}}}", "x", "1m", "[{labels: x, histogram: '{{count:1 buckets:[1]}}'}]"),
]

CHECK_RULES = [[], ["rules.yml"], ["failing.yml"], ["duplicates.yml"], ["--lint-fatal", "duplicates.yml"], ["--lint-fatal", "--lint", "none", "duplicates.yml"], ["--lint-fatal", "rules.yml"], ["bad.yml"], ["rules.yml", "bad.yml"], ["missing.yml"], ["--lint-fatal", "bad.yml", "duplicates.yml"]]
CONFIGS = ["", "nonsense: 1\n", "rule_files: [rules.yml]\n", "rule_files: [bad.yml]\n", "rule_files: ['none*.yml']\n", "rule_files: [none.yml]\n", "rule_files: [duplicates.yml]\n", "scrape_configs: [{job_name: a, file_sd_configs: [{files: [targets.yml]}]}]\n", "scrape_configs: [{job_name: a, file_sd_configs: [{files: [none.yml]}]}]\n", "scrape_configs: [{job_name: a, file_sd_configs: [{files: [bad_targets.yml]}]}]\n", "scrape_configs: [{job_name: a, file_sd_configs: [{files: ['no*.yml']}]}]\n",
    "scrape_configs: [{job_name: a, tls_config: {ca_file: none}}]\n", "scrape_configs: [{job_name: a, tls_config: {cert_file: none, key_file: none}}]\n", "scrape_configs: [{job_name: a, bearer_token_file: none}]\n", "scrape_configs: [{job_name: a, authorization: {credentials_file: none}}]\n", "scrape_configs: [{job_name: a, authorization: {credentials_file: rules.yml}}]\n", "scrape_configs: [{job_name: a, basic_auth: {username: a, password_file: none}}]\n", "scrape_configs: [{job_name: a, scrape_interval: 10m}]\n", "alerting: {alertmanagers: [{file_sd_configs: [{files: [bad_targets.yml]}]}]}\n", "alerting: {alertmanagers: [{file_sd_configs: [{files: [none.yml]}]}]}\n", "scrape_config_files: [none.yml]\n", "scrape_config_files: [rules.yml]\n", "remote_write: [{url: 'http://a', bearer_token_file: none}]\n"]
FLAGS = [[], ["--syntax-only"], ["--lint", "all", "--lint-fatal"], ["--lint-fatal"]]


def main():
    promtool = os.environ["STREAMFLOW_PROMTOOL"]
    version = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        for name, text in FILES.items():
            (folder / name).write_text(text)

        def code(*arguments):
            return subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL).returncode

        tests, configs = [], []
        for text in TESTS:
            (folder / "a.test.yml").write_text(text)
            tests.append({"text": text, "code": code("test", "rules", "a.test.yml")})
        rules = [{"arguments": arguments, "code": code("check", "rules", *arguments)} for arguments in CHECK_RULES]
        for text in CONFIGS:
            (folder / "prometheus.yml").write_text(text)
            configs.append({"text": text, "codes": [code("check", "config", *flags, "prometheus.yml") for flags in FLAGS]})
    rows = lambda name, of: f' "{name}": [\n' + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in of) + "\n ]"
    head = [f' "promtool": {json.dumps(version)}', f' "files": {json.dumps(FILES)}', f' "flags": {json.dumps(FLAGS)}']
    print("{\n" + ",\n".join(head + [rows("tests", tests), rows("check_rules", rules), rows("check_config", configs)]) + "\n}")


main()
