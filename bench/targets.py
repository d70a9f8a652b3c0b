"""A thousand targets of five hundred series each, scraped every 15 seconds by `streamflow up`.

    python3 bench/targets.py [--targets 1000] [--series 500] [--interval 15] [--minutes 3] [--streamflow FILE]

One process serves all targets; a parameter of the request tells them apart. After a first interval the scrapes are counted
for so many minutes. Prints the scrapes that were missed (of those that the interval asks for), how much of all processors
the server took, and its memory; the load of the machine before the run stands beside them.
"""

import argparse
import http.server
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import measure

sys.path.insert(0, str(measure.PROJECT / "tools" / "interop"))
import metrics_servers  # noqa: E402

CONFIG = """global: {{scrape_interval: {interval}s, scrape_timeout: {timeout}s}}
scrape_configs:
- job_name: many
  static_configs: [{{targets: [{targets}]}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__address__], target_label: instance}}
  - {{target_label: __address__, replacement: '127.0.0.1:{port}'}}
"""


class Targets(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    series = 0
    scrapes: Counter = Counter()

    def do_GET(self):
        target = parse_qs(urlsplit(self.path).query)["target"][0]
        Targets.scrapes[target] += 1
        round_of = Targets.scrapes[target]
        # A third of the series stand still, as on real targets.
        body = "\n".join(f'many_requests_total{{path="/api/{place}",method="GET",status="200"}} {place * 7 if place % 3 else round_of * (place + 1)}' for place in range(Targets.series)).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def serve(series: int) -> int:
    """Serves the targets from a process of their own; the port."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        Targets.series = series
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Targets)
        server.handle_error = lambda *_: None
        os.write(write, str(server.server_address[1]).encode())
        os.close(write)
        # It ends with the process that measures.
        parent = os.getppid()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)
    os.close(write)
    return int(os.read(read, 16))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--interval", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--streamflow")
    options = parser.parse_args()
    binary, load = measure.streamflow(options.streamflow), os.getloadavg()[0]
    port = serve(options.series)
    names = ", ".join(f"'target-{place}:80'" for place in range(options.targets))
    config = CONFIG.format(interval=options.interval, timeout=min(10, options.interval), targets=names, port=port)
    with tempfile.TemporaryDirectory() as directory:
        server = metrics_servers.streamflow(binary, Path(directory) / "up", config)
        try:
            pid = server.process.pid
            time.sleep(options.interval * 2)
            started, cpu = time.time(), cpu_seconds(pid)
            time.sleep(options.minutes * 60)
            seconds, cpu = time.time() - started, cpu_seconds(pid) - cpu
            peak = memory_mib(pid)
            # `up` is written for each scrape, of which the wanted number may be off by one a target at the edges.
            done = server.query(f'sum(count_over_time(up{{job="many"}}[{int(seconds)}s]))', started + seconds)
            good = server.query(f'sum(sum_over_time(up{{job="many"}}[{int(seconds)}s]))', started + seconds)
            series = server.query('count({job="many"})')
        finally:
            server.stop()
    wanted = options.targets * int(seconds / options.interval)
    count = lambda answer: int(float(answer[0]["value"][1])) if answer else 0  # noqa: E731
    print(f"{options.targets} targets of {options.series} series every {options.interval} s for {seconds:.0f} s, load before {load:.1f}")
    print("| scrapes wanted | missed | failed | series | processors, % of all | memory MiB |")
    print("| --: | --: | --: | --: | --: | --: |")
    print(f"| {wanted} | {max(0, wanted - count(done))} | {count(done) - count(good)} | {count(series)} | {100 * cpu / seconds / os.cpu_count():.1f} | {peak:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
