"""Asks StreamFlow and a real Prometheus 3.5 random expressions over native histograms and UTF-8 names.

    python3 tools/interop/promql_random.py --prometheus FILE [--streamflow FILE] [--expressions N] [--seed N]

Both are given the same hour of samples by remote write: exponential histograms of integers and floats, with resets and
with a change of schema, custom bounds, gauges, a series that is now a number and now a histogram, and names and labels
that are no identifiers. Each expression is asked at one time or over a range, and answers, warnings and infos have to be
the same. What is known of 3.5 and argued in docs/prometheus-compatibility.md is counted by its reason. Prometheus 3.5 says
now this and now that of a window of native histograms, by what it was asked before: where it differs it is asked again, at
last just after a start, and one answer that is ours will do. Ours is asked again as well, and has to stay the same. Ends
with exit code 1 when an answer differs otherwise.
"""

import argparse
import collections
import json
import math
import os
import random
import struct
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import measure  # noqa: E402
import metrics_servers  # noqa: E402

STEP_S, STEPS = 15, 240
# Relative; sums are made in another order.
TOLERANCE = 1e-9


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(written) + bytes([value])


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def whole(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def signed(number: int, value: int) -> bytes:
    return varint(number << 3) + zigzag(value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def message(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def snappy(data: bytes) -> bytes:
    """Of literals alone."""
    written = bytearray(varint(len(data)))
    for start in range(0, len(data), 1 << 16):
        part = data[start : start + (1 << 16)]
        written += bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part
    return bytes(written)


def spans(number: int, buckets: dict[int, float]) -> bytes:
    """Neighbours share a span."""
    written, last, run = b"", 0, None
    for index in sorted(buckets):
        if run and run[0] + run[1] == index:
            run[1] += 1
            continue
        if run:
            written += message(number, signed(1, run[0] - last) + whole(2, run[1]))
            last = run[0] + run[1]
        run = [index, 1]
    return written + (message(number, signed(1, run[0] - last) + whole(2, run[1])) if run else b"")


class Histogram:
    """One that grows: counts by bucket, and how it is written."""

    def __init__(self, random: random.Random, kind: str) -> None:
        self.random, self.kind = random, kind
        self.schema = -53 if kind == "custom" else random.choice([-1, 0, 1, 2, 3])
        self.bounds = random.choice([[0.1, 0.5, 1.0, 5.0], [0.1, 1.0, 2.5]]) if kind == "custom" else []
        self.clear(1000)

    def clear(self, base: int) -> None:
        """No bucket is ever empty: Prometheus may keep an empty one, by what its neighbours in the chunk have, and we do not."""
        self.buckets = range(len(self.bounds) + 1) if self.bounds else [-3, -1, 0, 1, 2, 4, 9]
        self.positive = collections.Counter({bucket: base + self.random.randrange(50) for bucket in self.buckets})
        self.negative = collections.Counter() if self.bounds else collections.Counter({bucket: base for bucket in self.buckets})
        self.zero, self.sum = base, float(base)

    def grow(self) -> None:
        if self.kind != "gauge" and self.random.random() < 0.01:
            self.clear(500)
        if self.kind == "gauge":
            self.clear(self.random.randrange(1, 50))
        if self.kind == "exponential" and self.random.random() < 0.005:
            self.schema = self.random.choice([0, 1, 2])
            self.clear(800)
        for _ in range(self.random.randrange(6)):
            self.positive[self.random.choice(self.buckets)] += self.random.randrange(1, 9)
            if not self.bounds and self.random.random() < 0.3:
                self.negative[self.random.choice(self.buckets)] += 1
            self.zero += self.random.randrange(2) * (not self.bounds)
            self.sum += round(self.random.uniform(-1, 4), 3)

    def encoded(self, time_ms: int) -> bytes:
        zero = 0 if self.bounds else self.zero
        count = zero + sum(self.positive.values()) + sum(self.negative.values())
        float_counts = self.kind == "float"
        body = double(2, count) if float_counts else whole(1, count)
        body += double(3, self.sum) + signed(4, self.schema) + (b"" if self.bounds else double(5, 0.001))
        body += double(7, zero) if float_counts else whole(6, zero)
        for of_spans, buckets in ((8, self.negative), (11, self.positive)):
            body += spans(of_spans, buckets)
            counts = [buckets[index] for index in sorted(buckets)]
            if float_counts:
                body += message(of_spans + 2, struct.pack(f"<{len(counts)}d", *counts))
            else:
                deltas = [now - before for before, now in zip([0, *counts], counts)]
                body += message(of_spans + 1, b"".join(map(zigzag, deltas)))
        body += whole(14, 3 if self.kind == "gauge" else 0) + whole(15, time_ms)
        return body + (message(16, struct.pack(f"<{len(self.bounds)}d", *self.bounds)) if self.bounds else b"")


class Series:
    def __init__(self, random: random.Random, kind: str, **labels: str) -> None:
        self.random, self.kind = random, kind
        self.labels = dict(sorted(labels.items()))
        self.histogram = None if kind == "number" else Histogram(random, "exponential" if kind == "mixed" else kind)
        self.value = 10_000.0
        self.late_ms = random.randrange(1, 9_000)

    def encoded(self, time_ms: int) -> bytes:
        body = b"".join(message(1, message(1, name.encode()) + message(2, value.encode())) for name, value in self.labels.items())
        at = time_ms + self.late_ms
        if self.histogram:
            self.histogram.grow()
        self.value = 5_000.0 if self.random.random() < 0.01 else self.value + self.random.randrange(20)
        is_number = self.kind == "number" or self.kind == "mixed" and self.random.random() < 0.2
        return message(1, body + (message(2, double(1, self.value) + whole(2, at)) if is_number else message(4, self.histogram.encoded(at))))


def all_series(random: random.Random) -> list[Series]:
    series = []
    for job in ("api", "web"):
        for instance in ("a:1", "b:1"):
            of = {"job": job, "instance": instance}
            series += [Series(random, kind, __name__=name, **of) for kind, name in (("exponential", "latency"), ("float", "latency_floats"), ("custom", "latency_custom"), ("gauge", "pool"), ("number", "requests_total"))]
            named = {"service.name": f"shop/{job}", "büro": "Köln" if instance == "a:1" else "Zürich", **of}
            series += [Series(random, kind, __name__=name, **named) for kind, name in (("exponential", "http.server.duration"), ("number", "http.requests.total"), ("number", "温度"))]
    series.append(Series(random, "mixed", __name__="latency_mixed", job="api", instance="a:1"))
    # Which of equal values `topk` picks is a matter of their order, which in Prometheus is that of their first samples.
    return sorted(series, key=lambda one: list(one.labels.items()))


class Expressions:
    """Random expressions: of histograms, of numbers, and of either."""

    HISTOGRAMS = ["latency", "latency_floats", "latency_custom", "pool", "latency_mixed", '{"http.server.duration"}']
    # Of gauges `rate` begins near zero, where later versions extrapolate less far.
    COUNTERS = [name for name in HISTOGRAMS if name != "pool"]
    NUMBERS = ["requests_total", '{"http.requests.total"}', '{"温度"}']
    MATCHERS = ['job="api"', 'instance=~"a.*"', 'job!="api"', 'instance=~".+"']
    UTF8 = ['"service.name"="shop/api"', '"büro"=~"K.*"', '"service.name"!~".*web"', '"büro"!=""']
    LABELS = ["job", "instance", "job, instance", '"service.name"', '"büro", job', ""]

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def selector(self, names: list[str], suffix: str = "") -> str:
        name = self.random.choice(names)
        of = self.UTF8 + self.MATCHERS if name.startswith("{") else self.MATCHERS
        # Of two for one label, which counts for absent_over_time is a matter of how 3.5 has sorted them.
        matchers = list({text.strip('"').split("=")[0].split("!")[0]: text for text in self.random.sample(of, self.pick(0, 0, 1, 2))}.values())
        if name.startswith("{"):
            text = "{" + ", ".join([name[1:-1], *matchers]) + "}"
        else:
            text = name + ("{" + ", ".join(matchers) + "}" if matchers else "")
        return text + suffix + self.pick("", "", "", " offset 2m", " @ end()", " offset -1m")

    def grouping(self) -> str:
        return self.pick("", f" by ({self.random.choice(self.LABELS)})", f" without ({self.random.choice(self.LABELS)})")

    def window(self) -> str:
        return self.pick("[1m]", "[5m]", "[20m]", "[44s]")

    def histogram(self, depth: int) -> str:
        if depth <= 0:
            return self.selector(self.HISTOGRAMS)
        inner = lambda: self.histogram(depth - self.pick(1, 2))  # noqa: E731
        return self.pick(
            lambda: f"{self.pick('rate', 'increase')}({self.selector(self.COUNTERS, self.window())})",
            lambda: f"{self.pick('delta', 'idelta', 'irate')}({self.selector(self.HISTOGRAMS, self.window())})",
            lambda: f"{self.pick('sum', 'avg')}{self.grouping()} ({inner()})",
            lambda: f"{self.pick('sum_over_time', 'avg_over_time', 'last_over_time')}({self.selector(self.HISTOGRAMS, self.window())})",
            lambda: f"{self.pick('sum_over_time', 'avg_over_time', 'last_over_time')}(({self.kept(inner())})[{self.pick('5m:1m', '2m:15s')}])",
            lambda: f"({inner()}) {self.pick('+', '-')} ({inner()})",
            lambda: f"({inner()}) {self.pick('*', '/')} {self.pick('2', '0.5', '-1')}",
            lambda: f"{self.pick('2', '-1')} * ({inner()})",
            lambda: f"-({inner()})",
            lambda: f"({inner()}) {self.pick('and', 'or', 'unless')} ({self.either(depth - 1)})",
            lambda: f"({inner()}) {self.pick('*', '/')} on (job, instance) {self.selector(self.NUMBERS)}",
            lambda: f'label_replace({inner()}, "{self.pick("new", "neu.büro")}", "$1-x", "{self.pick("job", "service.name")}", "(.*)")',
            lambda: f"({inner()}) {self.pick('==', '!=')} ({inner()})",
        )()

    def kept(self, text: str) -> str:
        """In 3.5 a histogram that last_over_time gives is overwritten when its window moves."""
        return self.selector(self.HISTOGRAMS) if "last_over_time" in text else text

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.selector(self.NUMBERS)
        inner = lambda: self.histogram(depth - 1)  # noqa: E731
        quantile, bound = self.pick("0", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN"), self.pick("-Inf", "-1", "0", "0.3", "1", "2.5", "7", "+Inf")
        return self.pick(
            lambda: f"histogram_quantile({quantile}, {inner()})",
            lambda: f"histogram_fraction({bound}, {self.pick('0.5', '3', '+Inf', '-2', 'NaN')}, {inner()})",
            lambda: f"histogram_{self.pick('count', 'sum', 'avg', 'stddev', 'stdvar')}({inner()})",
            lambda: f"{self.pick('count', 'group', 'min', 'max', 'stddev')}{self.grouping()} ({inner()})",
            lambda: f"{self.pick('count_over_time', 'present_over_time', 'resets', 'changes', 'absent_over_time')}({self.selector(self.HISTOGRAMS, self.window())})",
            lambda: f"{self.pick('min_over_time', 'max_over_time', 'quantile_over_time')}({self.selector(self.HISTOGRAMS, self.window())})".replace("quantile_over_time(", "quantile_over_time(0.5, "),
            lambda: f"{self.pick('rate', 'increase', 'deriv')}({self.selector(self.NUMBERS, self.window())})",
            lambda: f"sum{self.grouping()} ({self.number(depth - 1)})",
            lambda: f"({self.number(depth - 1)}) {self.pick('+', '-', '*', '/', '>', '<= bool')} ({self.number(depth - 1)})",
            lambda: f"({inner()}) {self.pick('> ', '+', '^', '%')} {self.pick('1', '(' + self.number(depth - 1) + ')')}",
            lambda: f"{self.pick('abs', 'ceil', 'timestamp', 'absent', 'scalar', 'sort')}({self.either(depth - 1)})",
            lambda: f"{self.pick('topk', 'bottomk')}{self.grouping()} (2, {self.either(depth - 1)})",
        )()

    def either(self, depth: int) -> str:
        return self.histogram(depth) if self.random.random() < 0.6 else self.number(depth)

    def next(self) -> str:
        if self.random.random() < 0.03:
            return f'count_values{self.grouping()} ("{self.pick("value", "der.wert")}", {self.selector(self.HISTOGRAMS + self.NUMBERS)})'
        return self.either(self.pick(1, 2, 2, 3))


def ask(url: str, route: str, asked: dict) -> dict:
    request = urllib.request.Request(f"{url}/api/v1/{route}", urllib.parse.urlencode(asked).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def outcome(answer: dict):
    """What has to be the same: the answer by labels, what is told beside it, or what kind of error it is."""
    if answer["status"] != "success":
        return {"error": answer["errorType"]}
    told = {kind: sorted(answer.get(kind, [])) for kind in ("warnings", "infos")}
    data = answer["data"]
    if data["resultType"] not in ("vector", "matrix"):
        return told | {"data": data["result"]}
    return told | {"data": {json.dumps(series.pop("metric"), sort_keys=True): series for series in data["result"]}}


def same(ours, theirs) -> bool:
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if ours == theirs:
        return True
    try:
        one, other = float(ours), float(theirs)
    except (TypeError, ValueError):
        return False
    return one == other or math.isnan(one) and math.isnan(other) or abs(one - other) <= TOLERANCE * max(abs(one), abs(other), 1e-3)


def feed(servers: list, series: list[Series], begin_ms: int) -> None:
    """A step at a time: of a series that has numbers and histograms in one request Prometheus 3.5 loses some."""
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    for step in range(STEPS):
        body = snappy(b"".join(one.encoded(begin_ms + step * STEP_S * 1000) for one in series))
        for server in servers:
            request = urllib.request.Request(f"{server.url}/api/v1/write", body, headers)
            try:
                urllib.request.urlopen(request, timeout=60).close()
            except urllib.error.HTTPError as error:
                sys.exit(f"{server.url} did not take the samples: {error.code} {error.read()[:400]!r}")


def without_empty_name(told: dict) -> dict:
    return {kind: [text.replace(' for metric name ""', "") for text in value] if kind in ("warnings", "infos") else value for kind, value in told.items()}


def places_left_out(ours: dict, theirs: dict) -> bool:
    """Whether theirs tells a part of the places that ours tells of each warning, and all else is the same."""
    parts = [(ours[kind], theirs[kind]) for kind in ("warnings", "infos")]
    texts = all({line.rsplit(" (", 1)[0] for line in one} == {line.rsplit(" (", 1)[0] for line in other} and set(other) <= set(one) for one, other in parts)
    return texts and same(ours["data"], theirs["data"])


def warns(ours: dict, text: str) -> bool:
    return any(text in line for kind in ("warnings", "infos") for line in ours.get(kind, []))


# What is answered otherwise than by 3.5: all but the places of warnings as later versions do.
KNOWN = {
    "custom buckets with other bounds are reconciled": lambda ours, theirs: warns(ours, "mismatched custom buckets were reconciled"),
    "resets that contradict each other are told": lambda ours, theirs: warns(ours, "conflicting counter resets"),
    "a warning is told at each of its places": places_left_out,
    "no name is told as one": lambda ours, theirs: same(ours, without_empty_name(theirs)),
}


class Asking:
    """Both servers, and what came of it."""

    def __init__(self, mine, theirs) -> None:
        self.mine, self.theirs = mine, theirs
        self.counts, self.known, self.open, self.differ = collections.Counter(), collections.Counter(), [], []

    def one(self, route: str, asked: dict) -> None:
        ours, other = (outcome(ask(server.url, route, asked)) for server in (self.mine, self.theirs))
        self.counts["errors" if "error" in other else "empty" if not other["data"] else "answered"] += 1
        if same(ours, other):
            return
        for _ in range(3):
            ask(self.theirs.url, "query", {"query": "count(rate({job=~'.+'}[20m]))", "time": asked.get("time") or asked["end"]})
            other = outcome(ask(self.theirs.url, route, asked))
            if not same(outcome(ask(self.mine.url, route, asked)), ours):
                self.differ.append(f"{route} {asked}\n  ours are two: {json.dumps(ours)[:600]}")
                return
            if same(ours, other):
                self.counts["contradicted"] += 1
                return
        if not self.is_known(ours, other):
            self.open.append((route, asked, ours))

    def is_known(self, ours: dict, other: dict) -> bool:
        reason = next((reason for reason, holds in KNOWN.items() if "error" not in ours and "error" not in other and holds(ours, other)), None)
        self.known.update([reason] if reason else [])
        return reason is not None

    def finish(self) -> None:
        """Asks a Prometheus that was asked nothing before."""
        for route, asked, ours in self.open:
            self.theirs.kill()
            self.theirs.start()
            other = outcome(ask(self.theirs.url, route, asked))
            if same(ours, other):
                self.counts["contradicted"] += 1
            elif not self.is_known(ours, other):
                self.differ.append(f"{route} {asked}\n  ours   {json.dumps(ours)[:600]}\n  theirs {json.dumps(other)[:600]}")


def compare(asking: Asking, options: argparse.Namespace, begin_s: int) -> None:
    expressions = Expressions(options.seed)
    for place in range(options.expressions):
        text = expressions.next()
        at = begin_s + expressions.random.randrange(300, STEPS * STEP_S)
        if place % 2:
            asking.one("query", {"query": text, "time": at})
        else:
            step = expressions.random.choice([7, 15, 60])
            asking.one("query_range", {"query": text, "start": at, "end": at + 5 * step, "step": step})
    asking.finish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default=os.environ.get("STREAMFLOW_PROMETHEUS"), required="STREAMFLOW_PROMETHEUS" not in os.environ)
    parser.add_argument("--streamflow")
    parser.add_argument("--expressions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20_240_131)
    options = parser.parse_args()
    begin_s = int(time.time()) - STEPS * STEP_S - 60
    with tempfile.TemporaryDirectory() as directory:
        config = "scrape_configs: []\n"
        theirs = metrics_servers.prometheus(options.prometheus, Path(directory) / "theirs", config, ["--enable-feature=native-histograms"])
        servers = [theirs]
        try:
            servers.append(metrics_servers.streamflow(measure.streamflow(options.streamflow), Path(directory) / "ours", config))
            feed(servers, all_series(random.Random(options.seed)), begin_s * 1000)
            asking = Asking(servers[1], theirs)
            compare(asking, options, begin_s)
        finally:
            for server in servers:
                server.stop()
    for text in asking.differ[:40]:
        print(text, file=sys.stderr)
    counts, known = asking.counts, ", ".join(f"{count}: {reason}" for reason, count in asking.known.most_common())
    print(
        f"PromQL over native histograms and UTF-8 names: {options.expressions} random expressions ({counts['answered']} answered, {counts['empty']} empty, {counts['errors']} errors), "
        f"{len(asking.differ)} differ without a reason; known: {known or 'none'}; Prometheus contradicted itself in {counts['contradicted']}"
    )
    return 1 if asking.differ else 0


if __name__ == "__main__":
    sys.exit(main())
