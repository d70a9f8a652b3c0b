"""The serving path against its floor: `streamflow serve` and a bare axum handler that answers the same bytes.

    python3 bench/predict.py [--seconds 10] [--rounds 3]

The bare handler (crates/streamflow/examples/bare_axum.rs) reads the body and answers bytes that `streamflow serve`
gave before: what is lost against it is the price of parsing, features, model, metrics and limits. Both servers run at
the same time and are loaded in turns by wrk over 64 connections; the printed round is the one with the median ratio.
Exit code 1 when a request failed.
"""

import argparse
import json
import sys
import tempfile
import urllib.request
from pathlib import Path

import load
import measure


def bare_axum(argument: str | None, binary: str) -> str:
    """Path of the example: the flag, or the one beside the release binary."""
    path = Path(argument) if argument else Path(binary).parent / "examples" / "bare_axum"
    if not path.is_file():
        measure.stop_with(f"{path} does not exist: run `cargo build --release -p streamflow --example bare_axum`")
    return str(path.resolve())


def answer(url: str, users: Path) -> bytes:
    """What the server says of the first user."""
    body = json.dumps({"user_id": users.read_text().splitlines()[1].split(",")[0]}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--bare-axum", help="path of the example")
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()

    measure.tool("wrk", "apt-get install wrk")
    binary = measure.streamflow(given.streamflow)
    floor_binary = bare_axum(given.bare_axum, binary)
    month = measure.course_dir(given.course) / "month_000"
    users = month / "users.csv"
    print(measure.machine())
    with tempfile.TemporaryDirectory() as directory:
        port = load.free_port()
        command = [*load.trained(binary, month, directory), f"127.0.0.1:{port}"]
        with load.server(command, port, directory) as ours:
            bytes_file = Path(directory) / "answer.json"
            bytes_file.write_bytes(answer(ours.url, users))
            port = load.free_port()
            with load.server([floor_binary, f"127.0.0.1:{port}", str(bytes_file)], port) as floor:
                rounds = [(load.wrk(floor, users, given.seconds), load.wrk(ours, users, given.seconds)) for _ in range(given.rounds)]
    ratio = lambda pair: pair[1].requests_per_second / pair[0].requests_per_second
    bare, served = sorted(rounds, key=ratio)[len(rounds) // 2]
    rows = [load.row("bare axum", floor, bare, "1.00"), load.row("streamflow serve", ours, served, f"{ratio((bare, served)):.2f}")]
    print(measure.table(load.HEADER, rows))
    print("\nratios of all rounds: " + ", ".join(f"{ratio(pair):.2f}" for pair in rounds))
    print("targets for streamflow serve: ratio ≥ 0.50, p99 ≤ 10 ms, RSS ≤ 150 MiB, ready ≤ 1 s")
    sys.exit(1 if any(one.errors for pair in rounds for one in pair) else 0)


if __name__ == "__main__":
    main()
