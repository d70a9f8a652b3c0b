"""StreamFlow's metrics engine against a real Prometheus and VictoriaMetrics: the same samples and queries in one run.

    bench/prometheus.sh [--series 10000] [--histograms 1000] [--hours 24] [--active 100000] [--times 5]
                        [--only history|active]

The servers start empty on free loopback ports and get the same history by remote write (crates/exposition's example
`feed`, 15 s between samples), one after the other. Then they answer the same queries by HTTP, in turn; the median of
--times answers counts, after one that does not. Memory and disk are read a minute after the history is in, and once
more, in new processes, with --active series of 40 samples each, over which more is asked. Ratios above 1 favour
StreamFlow. Series that differ are counted against Prometheus alone: VictoriaMetrics extrapolates no rate. What each has
on disk when it acknowledges differs too: StreamFlow and Prometheus have written their log to the operating system,
VictoriaMetrics has the samples in memory.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import socket
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
NATIVE_QUERY = "histogram_quantile(0.99, sum by (job) (rate(n[5m])))"
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

    def fetch(self, path: str, parameters: dict[str, object]) -> tuple[float, bytes]:
        """Seconds until the answer is here, and its bytes."""
        url = f"http://{self.host}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        started = time.perf_counter()
        with urllib.request.urlopen(url, timeout=300) as response:
            body = response.read()
        return time.perf_counter() - started, body

    def seconds(self, path: str, parameters: dict[str, object]) -> float:
        return self.fetch(path, parameters)[0]

    def answer(self, path: str, parameters: dict[str, object]) -> dict:
        return json.loads(self.fetch(path, parameters)[1])


def streamflow(binary: str, folder: str) -> Server:
    data = Path(folder) / "data"
    subprocess.run([binary, "init", folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Samples of the present, as every server takes of itself, would close the past while the history still comes.
    config = Path(folder) / "streamflow.toml"
    config.write_text(config.read_text().replace("# prometheus_config =", "prometheus_config ="))
    (Path(folder) / "prometheus.yml").write_text("scrape_configs: []\n")
    command = [binary, "--data-dir", str(data), "up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]
    return Server("streamflow", command, re.compile(r"console on http://([^/\s]+)"), folder, data / "metrics")


def prometheus(binary: str, folder: str) -> Server:
    data, config = Path(folder) / "prometheus", Path(folder) / "theirs.yml"
    config.write_text("scrape_configs: []\n")
    command = [
        binary, f"--config.file={config}", f"--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:0",
        "--web.enable-remote-write-receiver", "--enable-feature=native-histograms", "--storage.tsdb.retention.time=30d",
    ]
    address = re.compile(r'msg="Listening on" (?:component=web )?address=(\S+)')
    return Server("prometheus", command, address, folder, data)


def victoriametrics(binary: str, folder: str) -> Server:
    data = Path(folder) / "victoriametrics"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        binary, f"-storageDataPath={data}", f"-httpListenAddr={host}", "-retentionPeriod=12", "-search.disableCache",
        "-search.latencyOffset=0s", "-search.maxUniqueTimeseries=1000000", "-search.maxSeries=1000000",
    ]
    server = Server("victoriametrics", command, re.compile(r"(started VictoriaMetrics)"), folder, data)
    server.host = host
    return server


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


def ratios(seconds: list[float]) -> list[str]:
    """Milliseconds of each server, then how many times as long each peer took."""
    return [f"{value * 1e3:.1f}" for value in seconds] + [f"{value / seconds[0]:.1f}" for value in seconds[1:]]


def compare_queries(servers: list[Server], end: int, hours: int, times: int) -> list[list[str]]:
    rows = []
    for name, template in QUERIES:
        for size, small in (("100", 'small="yes"'), ("all", "")):
            for title, length, step in RANGES:
                if length > hours * 3600:
                    continue
                query = template.format(small=small)
                parameters = {"query": query, "start": end - SHIFT - length, "end": end - SHIFT, "step": step}
                first, second = (server.answer("query_range", parameters) for server in servers[:2])
                timed = lambda server: server.seconds("query_range", parameters)  # noqa: B023, E731
                times_taken = medians(timed, servers, times)
                answers = f"{len(first['data']['result']):,}"
                rows.append([name, size, title, answers, *ratios(times_taken), str(differing(first, second))])
                print("  " + "  ".join(rows[-1]), flush=True)
    return rows


def compare_natives(servers: list[Server], end: int, hours: int, times: int) -> list[list[str]]:
    """Of native histograms, which VictoriaMetrics does not take."""
    rows = []
    for title, length, step in RANGES:
        if length > hours * 3600:
            continue
        parameters = {"query": NATIVE_QUERY, "start": end - SHIFT - length, "end": end - SHIFT, "step": step}
        first, second = (server.answer("query_range", parameters) for server in servers)
        taken = ratios(medians(lambda server: server.seconds("query_range", parameters), servers, times))  # noqa: B023
        rows.append([NATIVE_QUERY, title, f"{len(first['data']['result']):,}", *taken, str(differing(first, second))])
    return rows


def medians(timed, servers: list[Server], times: int) -> list[float]:
    """Median seconds of each server, asked in turns after one answer that does not count."""
    for server in servers:
        timed(server)
    taken = [[timed(server) for server in servers] for _ in range(times)]
    return [statistics.median(of_server) for of_server in zip(*taken)]


def compare_active(servers: list[Server], end: int, times: int) -> list[list[str]]:
    """Median milliseconds of questions over many series with few samples."""
    of_range = {"start": end - SHIFT - 600, "end": end - SHIFT, "step": 15}
    asked = [(name, "query_range", {"query": query} | of_range) for name, query in ACTIVE_QUERIES]
    asked.append(("/api/v1/series", "series", {"match[]": "m"} | of_range))
    asked.append(("values of a label", "label/series/values", of_range))

    # What the answers say is not read here: Python would read one after the other, and the time would be its own.
    def panel(server: Server, place: int) -> None:
        server.fetch("query_range", {"query": f'sum by (instance) (rate(m{{series=~".*{place:02}"}}[1m]))'} | of_range)

    def dashboard(server: Server) -> float:
        started = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(PANELS) as panels:
            list(panels.map(lambda place: panel(server, place), range(PANELS)))
        return time.perf_counter() - started

    rows = []
    for name, route, parameters in asked:
        timed = lambda server: server.seconds(route, parameters)  # noqa: B023, E731
        rows.append([name, *ratios(medians(timed, servers, times))])
    rows.append([f"a dashboard of {PANELS} panels at once", *ratios(medians(dashboard, servers, times))])
    return rows


def take_history(servers: list[Server], feeder: str, arguments: list[object]) -> list[list[str]]:
    """A row for each figure of taking the history by remote write."""
    facts = []
    for server in servers:
        cpu = measure.cpu_seconds(server.process.pid)
        sent, seconds = feed(feeder, server, *arguments)
        cpu = measure.cpu_seconds(server.process.pid) - cpu
        time.sleep(60)
        everything, blocks = server.disk_bytes()
        facts.append((sent, sent / seconds, sent / cpu, server.resident_mib(), everything / sent, blocks / sent))
    titles = [
        "samples by remote write", "samples/s", "samples/CPU-second", "resident MiB a minute after it",
        "disk bytes/sample a minute after it", "of these in blocks",
    ]
    rows = []
    for place, title in enumerate(titles):
        figures = [fact[place] for fact in facts]
        more_is_better = place in (1, 2)
        # A short history may have no block yet.
        above = [(figures[0], peer) if more_is_better else (peer, figures[0]) for peer in figures[1:]]
        rows.append([title, *(f"{f:,.2f}" for f in figures), *(f"{a / b:.2f}" if b else "–" for a, b in above)])
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--feed", help="path of the built example `feed`")
    options.add_argument("--series", type=int, default=10_000)
    options.add_argument("--histograms", type=int, default=1_000)
    options.add_argument("--natives", type=int, default=200)
    options.add_argument("--hours", type=int, default=24)
    options.add_argument("--active", type=int, default=100_000)
    options.add_argument("--times", type=int, default=5)
    options.add_argument("--only", choices=["history", "active"], help="one half: the day of history, or what follows it")
    given = options.parse_args()
    binary = measure.streamflow(given.streamflow)
    peer = os.environ.get("STREAMFLOW_PROMETHEUS") or measure.tool("prometheus", "tools/fetch-debian.sh prometheus DIR")
    feeder = given.feed or measure.tool("feed", "run bench/prometheus.sh, which builds it")
    starts = [(streamflow, binary), (prometheus, peer)]
    if victoria := os.environ.get("STREAMFLOW_VICTORIAMETRICS") or shutil.which("victoria-metrics"):
        starts.append((victoriametrics, victoria))
    else:
        print("VictoriaMetrics is left out: tools/fetch-debian.sh victoria-metrics DIR, then STREAMFLOW_VICTORIAMETRICS names it")

    print(measure.machine())
    names = [start.__name__ for start, _ in starts]
    headers = [*names, *(f"{name} / ours" for name in names[1:])]
    end = int(time.time()) // 15 * 15
    if given.only != "active":
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            servers = [stack.enter_context(start(path, folder)) for start, path in starts]
            history = ["--series", given.series, "--histograms", given.histograms, "--steps", given.hours * 240, "--end", end]
            print(measure.table([f"{given.hours} h of history", *headers], take_history(servers, feeder, history)))
            print("\nqueries (ms, median; series of the answer; series that differ from Prometheus)")
            rows = compare_queries(servers, end, given.hours, given.times)
            print(measure.table(["query_range", "of", "over", "answers", *headers, "differ"], rows))
    if given.only != "history":
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            servers = [stack.enter_context(start(path, folder)) for start, path in starts]
            rows = []
            for server in servers[:2]:
                feed(feeder, server, "--series", 0, "--histograms", 0, "--natives", given.natives, "--steps", given.hours * 240, "--end", end)
            natives = compare_natives(servers[:2], end, given.hours, given.times)
            print(measure.table(["query_range", "over", "answers", *headers[:2], headers[len(names)], "differ"], natives))
            for server in servers:
                feed(feeder, server, "--series", given.active, "--histograms", 0, "--steps", 40, "--end", end)
                time.sleep(5)
                rows.append([server.name, f"{server.resident_mib():.0f}"])
            print(measure.table([f"{given.active:,} active series, 40 samples each", "resident MiB"], rows))
            print(measure.table(["over all of them", *headers], compare_active(servers, end, given.times)))


if __name__ == "__main__":
    main()
