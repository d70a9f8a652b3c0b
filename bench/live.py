"""What looking at live traffic costs: `streamflow serve` with `[live]` on, and off.

    python3 bench/live.py [--seconds 10] [--rounds 5]

Both servers run the same binary on the same month at the same time and are loaded in turns by wrk over 64 connections;
the printed round is the one with the median ratio of processor time. On a machine that does other things too, that ratio
says more than the one of rates. Exit code 1 when a request failed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import load
import measure


def off(directory: str) -> str:
    """A configuration beside the other one, with live traffic off."""
    text = (Path(directory) / "streamflow.toml").read_text()
    path = Path(directory) / "off.toml"
    path.write_text(text.replace("\n[live]\n", "\n[live]\nenabled = false\n", 1))
    return str(path)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()

    measure.tool("wrk", "apt-get install wrk")
    binary = measure.streamflow(given.streamflow)
    month = measure.course_dir(given.course) / "month_000"
    users = month / "users.csv"
    print(measure.machine())
    with tempfile.TemporaryDirectory() as directory:
        command = load.trained(binary, month, directory)
        without = [command[0], "--config", off(directory), *command[1:]]
        ports = load.free_port(), load.free_port()
        with (
            load.server([*command, f"127.0.0.1:{ports[0]}"], ports[0], directory) as on_server,
            load.server([*without, f"127.0.0.1:{ports[1]}"], ports[1], directory) as off_server,
        ):
            rounds = [
                (load.wrk(off_server, users, given.seconds), load.wrk(on_server, users, given.seconds))
                for _ in range(given.rounds)
            ]
    ratio = lambda pair: pair[0].cpu_us / pair[1].cpu_us
    without_it, with_it = sorted(rounds, key=ratio)[len(rounds) // 2]
    rows = [
        load.row("[live] off", off_server, without_it, "1.00"),
        load.row("[live] on", on_server, with_it, f"{ratio((without_it, with_it)):.3f}"),
    ]
    print(measure.table(load.HEADER, rows))
    print("\nratios of processor time, all rounds: " + ", ".join(f"{ratio(pair):.3f}" for pair in rounds))
    rates = ", ".join(f"{with_it.requests_per_second / without.requests_per_second:.3f}" for without, with_it in rounds)
    print(f"ratios of rates, all rounds: {rates}")
    print("target: ratio ≥ 0.97")
    sys.exit(1 if any(one.errors for pair in rounds for one in pair) else 0)


if __name__ == "__main__":
    main()
