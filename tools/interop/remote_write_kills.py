"""Remote write 2.0 between StreamFlow and a real Prometheus 3, both ways, with either side killed midway.

    python3 tools/interop/remote_write_kills.py --prometheus FILE [--streamflow FILE] [--seconds N]

A target counts its scrapes. Prometheus scrapes it and sends to StreamFlow; StreamFlow scrapes it too and sends to another
Prometheus. Every server is killed with SIGKILL and started again in turn while samples flow. Then every sample that a
receiver had answered a query with, and so had taken, is looked for there again; and every sample that StreamFlow stored has
to be at its receiver. A killed Prometheus forgets which samples of its own were not sent yet, by design, so its gaps around
a kill of its own count as its own. Ends with exit code 1 when a sample is lost.
"""

import argparse
import http.server
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import measure  # noqa: E402
import metrics_servers  # noqa: E402

WRITE = "remote_write: [{url: '%s/api/v1/write', name: kills, protobuf_message: io.prometheus.write.v2.Request, queue_config: {batch_send_deadline: 1s, max_backoff: 1s}}]\n"
SCRAPE = "global: {scrape_interval: 250ms, scrape_timeout: 200ms}\nscrape_configs: [{job_name: counted, static_configs: [{targets: ['127.0.0.1:%d'], labels: {instance: target}}]}]\n"
SERIES = 50
LONGEST_SETTLING_SECONDS = 60


class Target(http.server.BaseHTTPRequestHandler):
    """Fifty series with the number of the scrape."""

    count = 0

    def do_GET(self):
        Target.count += 1
        body = "".join(f'counted{{series="{series}"}} {Target.count}\n' for series in range(SERIES)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def samples(server: metrics_servers.Server) -> set[tuple[str, float, str]]:
    """Every sample of the counted series: series, seconds since 1970, value."""
    found = server.query("counted[1h]")
    return {(row["metric"]["series"], at, value) for row in found for at, value in row["values"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default=os.environ.get("STREAMFLOW_PROMETHEUS"), required="STREAMFLOW_PROMETHEUS" not in os.environ)
    parser.add_argument("--streamflow")
    parser.add_argument("--seconds", type=int, default=8, help="between two kills")
    options = parser.parse_args()
    binary = measure.streamflow(options.streamflow)
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    # A killed server leaves its connection open.
    target.handle_error = lambda *_: None
    threading.Thread(target=target.serve_forever, daemon=True).start()
    scrape = SCRAPE % target.server_address[1]
    servers: list[metrics_servers.Server] = []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        try:
            # theirs sends to ours, middle (ours) sends to their other one.
            ours = metrics_servers.streamflow(binary, folder / "ours", "scrape_configs: []\n")
            servers.append(ours)
            theirs = metrics_servers.prometheus(options.prometheus, folder / "theirs", scrape + WRITE % ours.url)
            servers.append(theirs)
            receiver = metrics_servers.prometheus(options.prometheus, folder / "receiver", "scrape_configs: []\n")
            servers.append(receiver)
            middle = metrics_servers.streamflow(binary, folder / "middle", scrape + WRITE % receiver.url)
            servers.append(middle)
            return judge(options, ours, theirs, receiver, middle)
        finally:
            for server in servers:
                server.stop()


def judge(options: argparse.Namespace, ours, theirs, receiver, middle) -> int:
    seen = {server: set() for server in (ours, receiver, middle)}
    kills = []
    for victim in (ours, middle, receiver, theirs, ours, middle):
        time.sleep(options.seconds)
        # What a query shows was acknowledged: to the sender, or by the scrape.
        for server in seen:
            seen[server] |= samples(server)
        victim.kill()
        kills.append(time.time())
        # The sender has to keep what its receiver misses.
        time.sleep(2)
        victim.start()
    time.sleep(options.seconds)
    lost = {name: len(seen[server] - samples(server)) for name, server in (("ours", ours), ("receiver", receiver), ("middle", middle))}
    # Nothing of what StreamFlow stored may be missing where it sends, once it has caught up.
    stored, deadline = samples(middle), time.monotonic() + LONGEST_SETTLING_SECONDS
    while (missing := stored - samples(receiver)) and time.monotonic() < deadline:
        time.sleep(1)
    sent, deadline = samples(theirs), time.monotonic() + LONGEST_SETTLING_SECONDS
    while (behind := sent - samples(ours)) and time.monotonic() < deadline:
        time.sleep(1)
        # Those around the kill of the sender itself are gone with its queue.
        if all(abs(at - kills[3]) < options.seconds for _, at, _ in behind):
            break
    unexplained = [one for one in behind if abs(one[1] - kills[3]) >= options.seconds]
    print(
        f"remote write 2.0: {len(kills)} kills while {len(sent)} samples came from Prometheus and {len(stored)} went to it; of those acknowledged "
        f"{sum(lost.values())} lost, of our backlog {len(missing)}; {len(behind)} that a killed Prometheus had not sent"
    )
    if lost_any := (sum(lost.values()) or missing or unexplained):
        print(f"lost: {lost}, not sent on: {sorted(missing)[:5]}, not received: {sorted(unexplained)[:5]}", file=sys.stderr)
    return 1 if lost_any else 0


if __name__ == "__main__":
    sys.exit(main())
