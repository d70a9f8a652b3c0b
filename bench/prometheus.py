"""StreamFlow's metrics engine against a real Prometheus: the same samples, the same queries, in one run.

    bench/prometheus.sh [--series 10000] [--histograms 1000] [--hours 24] [--active 100000] [--times 5]

Both servers start empty on free loopback ports and get the same history by remote write (crates/exposition's example
`feed`, 15 s between samples), one after the other. Then both answer the same queries by HTTP, in turn; the median of
--times answers counts, after one that does not. Memory and disk are read once the history is in, and once more, in
new processes, with --active series of 40 samples each, over which more is asked. Ratios above 1 favour StreamFlow.
"""

import argparse
import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import measure

QUERIES = [
    ("rate(m[5m])", 'rate(m{{{small}}}[5m])'),
    ("sum by (job) (rate(m[5m]))", 'sum by (job) (rate(m{{{small}}}[5m]))'),
    (
        "histogram_quantile(0.99, sum by (le) (rate(b_bucket[5m])))",
        'histogram_quantile(0.99, sum by (le) (rate(b_bucket{{{small}}}[5m])))',
    ),
]
# Over the series of --active, each asked over their ten minutes.
ACTIVE_QUERIES = [
    ("topk(10, m)", "topk(10, m)"),
    ("count by (job) (m)", "count by (job) (m)"),
    ("a regular expression that picks 1 in 100", 'm{series=~".*[02468][13579]|.*00"}'),
    ("a subquery", "max_over_time(sum(rate(m[1m]))[10m:30s])"),
]
PANELS = 20
# Steps as a dashboard of 240 pixels would ask for, never below the interval of the samples.
RANGES = [("1 h", 3600, 15), ("6 h", 6 * 3600, 90), ("24 h", 24 * 3600, 360)]
# Prometheus 2 counts a sample on the left edge of a window, 3 and we do not: no edge falls on a sample.
SHIFT = 7


class Server:
    """A process with its address and its folder; killed when the `with` block ends."""

    def __init__(self, name: str, command: list[str], address: re.Pattern, cwd: str, data: Path):
        self.name, self.data = name, data
        self.log = open(Path(cwd) / f"{name}.log", "w+")
        self.process = subprocess.Popen(command, cwd=cwd, stdout=self.log, stderr=subprocess.STDOUT)
        self.host = self._wait_for(address)

    def _wait_for(self, address: re.Pattern) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := address.search(Path(self.log.name).read_text()):
                return found.group(1)
            time.sleep(0.05)
        measure.stop_with(f"{self.name} did not start:\n{Path(self.log.name).read_text()}")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def resident_mib(self) -> float:
        return measure.resident_mib(self.process.pid)

    def disk_bytes(self) -> tuple[int, int]:
        """All files, and those of blocks alone."""
        files = [file for file in self.data.rglob("*") if file.is_file()]
        of_blocks = [f for f in files if "wal" not in f.parts and "chunks_head" not in f.parts]
        return sum(f.stat().st_size for f in files), sum(f.stat().st_size for f in of_blocks)

    def answer(self, path: str, parameters: dict[str, object]) -> tuple[float, dict]:
        url = f"http://{self.host}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        started = time.perf_counter()
        with urllib.request.urlopen(url, timeout=300) as response:
            body = response.read()
        return time.perf_counter() - started, json.loads(body)


def streamflow(binary: str, folder: str) -> Server:
    data = Path(folder) / "data"
    subprocess.run([binary, "init", folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = [binary, "--data-dir", str(data), "up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]
    return Server("streamflow", command, re.compile(r"console on http://([^/\s]+)"), folder, data / "metrics")


def prometheus(binary: str, folder: str) -> Server:
    data, config = Path(folder) / "prometheus", Path(folder) / "theirs.yml"
    config.write_text("scrape_configs: []\n")
    command = [
        binary, f"--config.file={config}", f"--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:0",
        "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=30d",
    ]
    address = re.compile(r'msg="Listening on" (?:component=web )?address=(\S+)')
    return Server("prometheus", command, address, folder, data)


def feed(binary: str, server: Server, *arguments: object) -> tuple[int, float]:
    output = measure.run([binary, server.host, *map(str, arguments)]).output
    found = re.search(r"(\d+) samples in ([\d.]+) s", output)
    return int(found.group(1)), float(found.group(2))


def series_of(answer: dict) -> dict[str, list]:
    return {json.dumps(s["metric"], sort_keys=True): s["values"] for s in answer["data"]["result"]}


def differing(a: dict, b: dict) -> int:
    """Series that one has and the other has not, or whose values are apart by more than 1e-9."""
    ours, theirs = series_of(a), series_of(b)
    apart = len(ours.keys() ^ theirs.keys())
    for key in ours.keys() & theirs.keys():
        pairs = list(zip(ours[key], theirs[key]))
        same = len(ours[key]) == len(theirs[key]) and all(
            p[0] == q[0] and (p[1] == q[1] or abs(float(p[1]) - float(q[1])) <= 1e-9 * abs(float(q[1]))) for p, q in pairs
        )
        apart += not same
    return apart


def compare_queries(ours: Server, theirs: Server, end: int, hours: int, times: int) -> list[list[str]]:
    rows = []
    for name, template in QUERIES:
        for size, small in (("100", 'small="yes"'), ("all", "")):
            for title, length, step in RANGES:
                if length > hours * 3600:
                    continue
                query = template.format(small=small)
                parameters = {"query": query, "start": end - SHIFT - length, "end": end - SHIFT, "step": step}
                _, first = ours.answer("query_range", parameters)
                _, second = theirs.answer("query_range", parameters)
                apart = differing(first, second)
                seconds = [statistics.median(s.answer("query_range", parameters)[0] for _ in range(times)) for s in (ours, theirs)]
                rows.append([
                    name, size, title, f"{len(first['data']['result']):,}", f"{seconds[0] * 1e3:.1f}", f"{seconds[1] * 1e3:.1f}",
                    f"{seconds[1] / seconds[0]:.1f}", str(apart),
                ])
                print("  " + "  ".join(rows[-1]), flush=True)
    return rows


def compare_active(ours: Server, theirs: Server, end: int, times: int) -> list[list[str]]:
    """Median milliseconds of questions over many series with few samples."""
    of_range = {"start": end - SHIFT - 600, "end": end - SHIFT, "step": 15}
    asked = [(name, "query_range", {"query": query} | of_range) for name, query in ACTIVE_QUERIES]
    asked.append(("/api/v1/series", "series", {"match[]": "m"} | of_range))
    asked.append(("values of a label", "label/series/values", of_range))

    def panel(server: Server, place: int) -> None:
        server.answer("query_range", {"query": f'sum by (instance) (rate(m{{series=~".*{place:02}"}}[1m]))'} | of_range)

    def dashboard(server: Server) -> float:
        started = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(PANELS) as panels:
            list(panels.map(lambda place: panel(server, place), range(PANELS)))
        return time.perf_counter() - started

    rows = []
    for name, route, parameters in asked:
        timed = lambda server: server.answer(route, parameters)[0]  # noqa: B023, E731
        rows.append(compared(name, timed, ours, theirs, times))
    rows.append(compared(f"a dashboard of {PANELS} panels at once", dashboard, ours, theirs, times))
    return rows


def compared(name: str, timed, ours: Server, theirs: Server, times: int) -> list[str]:
    timed(ours), timed(theirs)
    seconds = [statistics.median(timed(server) for _ in range(times)) for server in (ours, theirs)]
    return [name, f"{seconds[0] * 1e3:.1f}", f"{seconds[1] * 1e3:.1f}", f"{seconds[1] / seconds[0]:.1f}"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--feed", help="path of the built example `feed`")
    options.add_argument("--series", type=int, default=10_000)
    options.add_argument("--histograms", type=int, default=1_000)
    options.add_argument("--hours", type=int, default=24)
    options.add_argument("--active", type=int, default=100_000)
    options.add_argument("--times", type=int, default=5)
    given = options.parse_args()
    binary = measure.streamflow(given.streamflow)
    peer = os.environ.get("STREAMFLOW_PROMETHEUS") or measure.tool("prometheus", "tools/fetch-debian.sh prometheus DIR")
    feeder = given.feed or measure.tool("feed", "run bench/prometheus.sh, which builds it")

    print(measure.machine())
    steps = given.hours * 240
    end = int(time.time()) // 15 * 15
    with tempfile.TemporaryDirectory() as folder, streamflow(binary, folder) as ours, prometheus(peer, folder) as theirs:
        facts, rows = {}, []
        for server in (ours, theirs):
            cpu = measure.cpu_seconds(server.process.pid)
            sent, seconds = feed(feeder, server, "--series", given.series, "--histograms", given.histograms, "--steps", steps, "--end", end)
            cpu = measure.cpu_seconds(server.process.pid) - cpu
            time.sleep(10)
            everything, blocks = server.disk_bytes()
            facts[server.name] = (sent, sent / seconds, sent / cpu, server.resident_mib(), everything / sent, blocks / sent)
        titles = ["samples by remote write", "samples/s", "samples/CPU-second", "resident MiB after it", "disk bytes/sample", "block bytes/sample so far"]
        for place, title in enumerate(titles):
            a, b = facts["streamflow"][place], facts["prometheus"][place]
            above, below = (a, b) if place in (1, 2) else (b, a)
            # A short history may have no block yet.
            rows.append([title, f"{a:,.2f}", f"{b:,.2f}", f"{above / below:.2f}" if below else "–"])
        print(measure.table(["24 h of history" if given.hours == 24 else f"{given.hours} h of history", "StreamFlow", "Prometheus", "ratio"], rows))
        print("\nqueries (ms, median; series of the answer; series that differ)")
        rows = compare_queries(ours, theirs, end, given.hours, given.times)
        print(measure.table(["query_range", "of", "over", "answers", "StreamFlow ms", "Prometheus ms", "ratio", "differ"], rows))
    with tempfile.TemporaryDirectory() as folder, streamflow(binary, folder) as ours, prometheus(peer, folder) as theirs:
        rows = []
        for server in (ours, theirs):
            feed(feeder, server, "--series", given.active, "--histograms", 0, "--steps", 40, "--end", end)
            time.sleep(5)
            rows.append([server.name, f"{server.resident_mib():.0f}"])
        print(measure.table([f"{given.active:,} active series, 40 samples each", "resident MiB"], rows))
        print(measure.table(["over all of them", "StreamFlow ms", "Prometheus ms", "ratio"], compare_active(ours, theirs, end, given.times)))


if __name__ == "__main__":
    main()
