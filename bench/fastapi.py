"""Serving: FastAPI + uvicorn + scikit-learn and `streamflow serve`, the same requests over 64 connections.

    python3 bench/fastapi.py [--seconds 10] [--peer-only]

Each server runs alone, is warmed up for two seconds and loaded by wrk, which cycles the user ids of the course month.
Ours serves a data directory made here: `ingest`, `train`. The peer is described in peers/fastapi_service.py.
wrk shares the machine's cores with the server, for both alike. Exit code 1 when a request failed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import load
import measure


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--peer-only", action="store_true")
    given = options.parse_args()

    measure.tool("wrk", "apt-get install wrk")
    month = measure.course_dir(given.course) / "month_000"
    binary = None if given.peer_only else measure.streamflow(given.streamflow)
    python = measure.environment("fastapi")
    print(measure.machine())
    port = load.free_port()
    service = [python, str(measure.BENCH / "peers" / "fastapi_service.py"), str(month), str(port)]
    with load.server(service, port) as server:
        peer = load.wrk(server, month / "users.csv", given.seconds)
        rows = [load.row("FastAPI, uvicorn, forest of 300", server, peer, "1×")]
    failed = peer.errors
    if binary:
        with tempfile.TemporaryDirectory() as directory:
            port = load.free_port()
            command = [*load.trained(binary, month, directory), f"127.0.0.1:{port}"]
            with load.server(command, port, directory) as server:
                ours = load.wrk(server, month / "users.csv", given.seconds)
            rows.append(load.row("streamflow serve", server, ours, f"{ours.requests_per_second / peer.requests_per_second:.0f}×"))
            failed += ours.errors
    print(measure.table(load.HEADER, rows))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
