"""Asks StreamFlow and a real Prometheus 3 the same over the same samples: the public compliance suite, and what it leaves out.

    python3 tools/interop/promql.py --prometheus FILE [--streamflow FILE] [--shared DIR] [--only TEXT]

The suite and the script that runs it are in SHARED/promql-compliance; the expressions here are a second list for it, each
asked over a range and at one time: `@` and offsets, matching, set operators, sorting, strings, subqueries, labels, times,
histograms, and what has to be refused. Needs PyYAML. Ends with exit code 1 when an answer differs.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import measure  # noqa: E402
import metrics_servers  # noqa: E402

MEMORY, CPU, DISK = "demo_memory_usage_bytes", "demo_cpu_usage_seconds_total", "demo_disk_usage_bytes"
COUNT, BUCKET = "demo_api_request_duration_seconds_count", "demo_api_request_duration_seconds_bucket"
GAPS, BATCH, CPUS = "demo_intermittent_metric", "demo_batch_last_success_timestamp_seconds", "demo_num_cpus"


def each(form: str, *columns: list) -> list[str]:
    return [form.format(*values) for values in itertools.product(*columns)]


# A time in the range is the end of it, which no text can name, so times are told by start() and end().
POINTS = ["start()", "end()"]
AT = [
    *each("{} @ {}", [MEMORY, GAPS, f'{CPU}{{mode="user"}}'], POINTS),
    *each("{} @ {} offset {}", [MEMORY, GAPS], POINTS, ["5m", "-5m", "1h"]),
    *each("{} offset {} @ {}", [CPUS], ["7m", "-1m"], POINTS),
    *each("{}({}[5m] @ {})", ["rate", "increase", "sum_over_time", "last_over_time", "present_over_time"], [CPU, COUNT], POINTS),
    *each("{} - {} @ {}", [DISK], [DISK], POINTS),
    *each("max_over_time(rate({}[1m])[10m:30s] @ {})", [CPU], POINTS),
    *each("sum by (type) ({} @ {}) / sum by (type) ({})", [MEMORY], POINTS, [MEMORY]),
    *each("topk(2, {} @ {})", [MEMORY], POINTS),
    *each("{} and topk(3, rate({}[10m] @ {}))", [CPU], [CPU], POINTS),
    "demo_num_cpus @ 0", "demo_num_cpus @ 1e10", "time() @ 5", "demo_num_cpus @ -5", "demo_num_cpus offset -10m", "sum_over_time(vector(1)[10m:1m] @ end())",
]
MATCHING = [
    *each("{} {} {} {}", [MEMORY], ["/", "-", "*", "%", "^"], ["on (instance) group_left", "on (job, instance) group_left ()", "ignoring (type) group_left"], [CPUS]),
    *each("{} {} {} {}", [CPUS], ["*", "+", "atan2"], ["on (instance) group_right", "on (instance, job) group_right ()", "ignoring (type) group_right"], [MEMORY]),
    *each("{} {} {} {}", [MEMORY], ["> ", ">= bool", "== bool", "!=", "< bool"], ["on (instance) group_left", "ignoring (type) group_left"], [f'sum by (instance, job) ({MEMORY}) / 4']),
    *each('{} * on (instance) group_left ({}) label_replace({}, "zone", "z$1", "instance", ".*(.)")', [MEMORY, CPU], ["zone", "zone, mode", "job", ""], [CPUS]),
    *each("sum by ({0}) ({1}) {2} on ({0}) sum by ({0}) ({3})", ["instance", "job", "instance, job"], [CPU, COUNT], ["/", "+", "and", "or", "unless"], [MEMORY]),
    *each("{} {} {} {}", [CPUS], ["+", "/", "and", "or", "unless"], ["ignoring ()", "on ()", "ignoring (nothing)", "ignoring (instance)"], [f'{CPUS}{{instance=~".*10001"}}']),
    *each("{} {} on (instance, method, path, status) {}", [COUNT], ["-", "/"], ["demo_api_request_duration_seconds_sum"]),
]
SETS = [
    *each("{} {} {}", [MEMORY, GAPS, f"{MEMORY} > 1e9"], ["and", "or", "unless"], [GAPS, f'{MEMORY}{{type=~"us.*|free"}}', f"{DISK} > 2e11", "vector(1)"]),
    *each("{} {} on (instance) {}", [MEMORY, CPU], ["and", "or", "unless"], [GAPS, f"{CPUS} > 3", "vector(1)"]),
    *each("{} {} ignoring (type) {}", [MEMORY], ["and", "or", "unless"], [f"{CPUS} > 2", GAPS]),
    *each("count({} {} {})", [CPU], ["and", "or", "unless"], [f'{CPU}{{mode!="idle"}}', COUNT]),
    f"({MEMORY} or {CPU}) unless {DISK}", f"{MEMORY} or on () vector(0)", f"absent({GAPS}) or {GAPS}", f"({GAPS} unless {GAPS} offset 1m) or vector(7)",
    f"{MEMORY} == {MEMORY} and {MEMORY} != 0 or {MEMORY}", "vector(1) and on () vector(2)", "vector(1) unless vector(2)",
]
ORDER = [
    *each("{}({})", ["sort", "sort_desc"], [MEMORY, f"rate({CPU}[5m])", f"{MEMORY} - {MEMORY}", "vector(1)", f"sum by (type) ({MEMORY})", GAPS]),
    *each("{}({}, {})", ["topk", "bottomk"], ["1", "2.7", "100", "0", "-1", "scalar(vector(2))"], [MEMORY, f"rate({COUNT}[5m])"]),
    *each("{} {} ({}, {})", ["topk", "bottomk"], ["by (instance)", "without (type)", "by ()", "by (nothing)"], ["1", "2"], [MEMORY]),
    *each('count_values{} ("{}", {})', ["", " by (instance)", " without (type)"], ["value", "é", "instance"], [CPUS, f"round({MEMORY}, 1e9)"]),
    *each("quantile{}({}, {})", ["", " by (type)"], ["0.5", "-1", "2", "NaN"], [MEMORY]),
    *each("{}{}({})", ["group", "stddev", "stdvar", "avg", "count"], [" by (type, instance)", " without (instance, job)", " by (missing)"], [MEMORY, GAPS]),
]
LABELS = [
    *each('label_replace({}, "{}", "{}", "{}", "{}")', [CPUS], ["port", "instance", "__name__", "é"], ["$1", "p-${1}", "", "$2x"], ["instance"], [".*:(.*)", "(.*)1(.*)", "nothing"]),
    *each('label_join({}, "{}", "{}", {})', [MEMORY], ["joined", "type"], ["-", ""], ['"type", "instance"', '"missing", "job"', '"type"']),
    f'label_replace({MEMORY}, "type", "same", "", "")', f'label_join({CPUS}, "x", "/")', f'label_replace({CPUS}, "a", "b", "c", "(")', f'label_join({CPUS}, "", "/")',
    f'{{"{CPUS}"}}', f'{{"{CPUS}", instance=~".*0"}}', f'{{__name__=~"demo_n.*|demo_disk_t.*"}}', f'{{__name__="{CPUS}", "instance"!~".*1"}}', f'{CPUS}{{instance=~"(?i:DEMO).*"}}', f'{CPUS}{{instance!=""}}', f'{CPUS}{{nothing=""}}', f'{CPUS}{{instance=~".+", instance!~".*:1000[01]"}}',
]
TIMES = [
    *each("{}({})", ["day_of_year", "day_of_month", "days_in_month", "hour", "minute", "month", "year", "day_of_week"], [BATCH, "vector(951782400)", "vector(-1)", ""]),
    *each("timestamp({})", [CPUS, f"{CPUS} offset 5m", f"{CPUS} @ end()", f"({CPUS})", f"{CPUS} + 0", "timestamp(demo_num_cpus)"]),
    "time()", "time() - time() % 60", "pi()", "vector(time())", "scalar(demo_num_cpus)", f'scalar({CPUS}{{instance=~".*0"}})', "1e3", "0x1F", "-Inf", "NaN", ".5", "1_000", "5m", "1h30m * 2", "-(2 ^ 3 ^ 2) % 7", "2 ^ -1", "1 == bool 2", "5 % 0", "-5 % 3", "0 / 0", "1 atan2 -1", "vector(3) atan2 vector(-4)",
]
MATHS = [
    *each("{}({})", ["sgn", "deg", "rad", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "ceil", "floor", "sqrt", "ln", "log2", "log10", "exp"], [f"{GAPS} - 2", f"{MEMORY} / 4e9"]),
    *each("round({}, {})", [f"{MEMORY} / 1e6", "vector(-2.5)"], ["1", "0.1", "-3", "0", "1e300"]), *each("clamp({}, {}, {})", [MEMORY], ["1e9", "NaN", "5"], ["2e9", "NaN", "1"]),
]
OVER_TIME = [
    *each("{}({}[{}])", ["absent_over_time", "present_over_time", "changes", "resets", "deriv", "idelta", "irate", "stddev_over_time", "stdvar_over_time", "last_over_time", "count_over_time", "delta"], [GAPS, CPU, BATCH], ["1s", "1m", "20m"]),
    *each("quantile_over_time({}, {}[{}])", ["0", "0.3", "1", "1.1", "NaN"], [MEMORY, GAPS], ["2m", "20m"]), *each("predict_linear({}[10m], {})", [DISK, GAPS], ["0", "3600", "-60", "1e9"]),
    *each("{}(({})[{}])", ["avg_over_time", "max_over_time", "sum_over_time", "changes", "last_over_time"], [f"sum(rate({CPU}[1m]))", MEMORY, "time()", "vector(1)", f"{GAPS} > 1"], ["10m:7s", "5m:1m", "30s:1m"]),
    *each("{}({}[5m] offset {})", ["rate", "increase", "max_over_time"], [CPU, GAPS], ["3m", "-3m"]), *each("{}({}[10m:1m] offset {})", ["sum_over_time", "delta"], [MEMORY], ["3m", "-3m"]),
    "sum_over_time(sum_over_time(demo_num_cpus[1m:10s])[5m:1m])", "rate(demo_num_cpus[5m:])", "max_over_time(rate(demo_cpu_usage_seconds_total[1m])[5m:15s] offset 1m)",
]
# The script compares numbers alone, so texts are compared here.
STRINGS = ['"a text"', '"a\\"\\n\\u00e9"', "'single \\x41'", "`raw\\n`", '""']
HISTOGRAMS = [
    *each("histogram_quantile({}, sum by ({}) (rate({}[5m])))", ["0", "0.5", "0.99", "1", "-1", "2", "NaN"], ["le", "le, path", "instance, le, method"], [BUCKET]),
    f"histogram_quantile(0.9, {BUCKET})", f'histogram_quantile(0.9, {BUCKET}{{le!="+Inf"}})', f"histogram_quantile(0.9, sum by (path) ({BUCKET}))", f"histogram_quantile(scalar(vector(0.5)), rate({BUCKET}[1m]))", f"histogram_quantile(0.9, sum without (instance) (rate({BUCKET}[5m] offset 2m)))",
]
REFUSED = [
    f"{CPU} + {MEMORY} + on (x) {MEMORY}", f"{MEMORY} * on (instance) {CPUS}", f"{CPUS} * on (instance) {MEMORY}", f"{MEMORY} and on (instance) group_left {CPUS}", f"{MEMORY} + on (job) group_left {CPUS}", f"{MEMORY} * on (instance) group_left (instance) {CPUS}", "sum(", "sum by (x)", "rate(demo_num_cpus)", "demo_num_cpus[5m]", "demo_num_cpus[5m] + 1", "1 + demo_num_cpus[5m]", '"a" + "b"', '1 and 2', "1 > 2", "{}", '{a=""}', '{a=~".*"}', "topk(demo_num_cpus, 1)", "time(1)", "no_such_function(1)", "abs()", "demo_num_cpus offset 5", "demo_num_cpus @ x", "demo_num_cpus{a=b}", 'demo_num_cpus{a=~"("}', "demo_num_cpus[0s]", "demo_num_cpus[5m:0s]", "sum(demo_num_cpus) by", "limitk(1, demo_num_cpus)", "limit_ratio(0.5, demo_num_cpus)", "sort_by_label(demo_num_cpus, 'instance')", "mad_over_time(demo_num_cpus[5m])", "double_exponential_smoothing(demo_num_cpus[5m], 0.5, 0.5)", "info(demo_num_cpus)", "ts_of_max_over_time(demo_num_cpus[5m])", "label_replace(demo_num_cpus, 'a', '$1', 'b')", f"label_replace({MEMORY}, 'type', '', '', '')",
]


def queries() -> list[dict]:
    """All as ones that should fail: the suite compares the answers where the reference does answer."""
    groups = [AT, MATCHING, SETS, ORDER, LABELS, TIMES, MATHS, OVER_TIME, HISTOGRAMS, REFUSED]
    return [{"query": text, "should_fail": True} for text in dict.fromkeys(itertools.chain(*groups))]


def ask(suite: Path, file: Path, ours: str, theirs: str, options: argparse.Namespace) -> tuple[int, list[str]]:
    command = [sys.executable, str(suite / "compliance.py"), "--queries", str(file), "--ours-url", ours, "--prometheus-url", theirs, "--instant", "--quiet"]
    run = subprocess.run(command + (["--only", options.only] if options.only else []), capture_output=True, text=True)
    if run.returncode:
        print(run.stdout, run.stderr, sep="\n", file=sys.stderr)
    return run.returncode, [line.split(" (")[0].replace("query_range", "over a range").replace("query:", "at one time:") for line in run.stdout.splitlines() if " passed, " in line]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default=os.environ.get("STREAMFLOW_PROMETHEUS"), required="STREAMFLOW_PROMETHEUS" not in os.environ)
    parser.add_argument("--streamflow")
    parser.add_argument("--shared", default=os.environ.get("STREAMFLOW_SHARED", str(measure.PROJECT.parent / "shared")))
    parser.add_argument("--only", help="only expressions that contain this text")
    options = parser.parse_args()
    options.streamflow = measure.streamflow(options.streamflow)
    suite = Path(options.shared) / "promql-compliance"
    codes = []
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "queries.yml"
        ours.write_text(json.dumps({"test_cases": queries()}))
        for place, (name, file) in enumerate((("PromQL compliance suite", suite / "promql-test-queries.yml"), ("PromQL beyond the suite", ours))):
            servers = [metrics_servers.prometheus(options.prometheus, Path(directory) / f"theirs-{place}", "scrape_configs: []\n")]
            try:
                servers.append(metrics_servers.streamflow(options.streamflow, Path(directory) / f"ours-{place}", "scrape_configs: []\n"))
                theirs, mine = servers
                code, lines = ask(suite, file, mine.url, theirs.url, options)
                wrong = [text for text in STRINGS if mine.query(text, 5) != theirs.query(text, 5)] if place else []
            finally:
                for server in servers:
                    server.stop()
            if wrong:
                print(f"these texts differ: {wrong}", file=sys.stderr)
                code = 1
            codes.append(code)
            texts = [f"{len(STRINGS) - len(wrong)} of {len(STRINGS)} texts"] if place else []
            print(f"{name}: {'; '.join(lines + texts)}")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
