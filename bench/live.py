"""What a look at traffic costs a request: `streamflow serve` with it, and without.

    python3 bench/live.py [--what live|log|shadow|canary] [--seconds 10] [--rounds 5] [--together]

`live` looks at live drift, `log` keeps every answer, `shadow` scores every row by a second version too, `canary` lets a
second version answer half of the entities; the last three have live drift on both sides. Both servers run the same
binary on the same month at the same time and are loaded in turns by wrk over 64 connections. A shadow may have no more
than the processor time that is left, so there each connection waits between its requests, for about half of the load,
and the ratio is that of rates; else it is that of processor time, which says more on a machine that does other things
too. With `--together` both are loaded at the same time, so that on a busy machine they have the same neighbours; their
rates say nothing then. The printed round is the one with the median ratio. Exit code 1 when a request failed.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import load
import measure


TARGETS = {"live": 0.97, "log": 0.93, "shadow": 0.9, "canary": 0.9}
# Milliseconds that a connection waits before each request of a shadow's half load.
HALF_LOAD_MS = "2"


def switched(directory: Path, section: str, value: bool) -> list[str]:
    """The option that names a configuration beside the other one, with a section on or off."""
    text = (directory / "streamflow.toml").read_text()
    path = directory / f"{section}-{value}.toml"
    path.write_text(text.replace(f"\n[{section}]\n", f"\n[{section}]\nenabled = {str(value).lower()}\n", 1))
    return ["--config", str(path)]


def servers(what: str, binary: str, month: Path, directory: Path) -> tuple[list[str], list[str]]:
    """The command lines of both servers, up to their address: without and with."""
    folders = [directory / name for name in ("without", "with")]
    for folder in folders:
        folder.mkdir()
    commands = [load.trained(binary, month, str(folder)) for folder in folders]
    if what in ("live", "log"):
        for command, folder, value in zip(commands, folders, (False, True)):
            command[1:1] = switched(folder, what, value)
    else:
        call = commands[1][:-2]
        measure.run([*call, "train", "--as-of", "2024-01-31"], cwd=folders[1])
        measure.run([*call, "models", "promote", "1"], cwd=folders[1])
        measure.run([*call, "models", what, "2", *(["--share", "50%"] if what == "canary" else [])], cwd=folders[1])
    return commands[0], commands[1]


def both(servers: tuple[load.Server, load.Server], users: Path, seconds: int, together: bool) -> tuple[load.Load, ...]:
    """What wrk saw of either server, one after the other or at the same time."""
    with ThreadPoolExecutor(max_workers=2 if together else 1) as at_once:
        return tuple(at_once.map(lambda server: load.wrk(server, users, seconds), servers))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--what", choices=TARGETS, default="live")
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--together", action="store_true", help="load both servers at the same time")
    given = options.parse_args()

    measure.tool("wrk", "apt-get install wrk")
    binary = measure.streamflow(given.streamflow)
    month = measure.course_dir(given.course) / "month_000"
    users = month / "users.csv"
    print(measure.machine())
    if given.what == "shadow":
        os.environ["WAIT_MS"] = HALF_LOAD_MS
    with tempfile.TemporaryDirectory() as directory:
        without, with_it = servers(given.what, binary, month, Path(directory))
        ports = load.free_port(), load.free_port()
        with (
            load.server([*without, f"127.0.0.1:{ports[0]}"], ports[0], f"{directory}/without") as off_server,
            load.server([*with_it, f"127.0.0.1:{ports[1]}"], ports[1], f"{directory}/with") as on_server,
        ):
            rounds = [
                both((off_server, on_server), users, given.seconds, given.together)
                for _ in range(given.rounds)
            ]
    of_time = lambda pair: pair[0].cpu_us / pair[1].cpu_us
    of_rates = lambda pair: pair[1].requests_per_second / pair[0].requests_per_second
    ratio = of_rates if given.what == "shadow" else of_time
    median = sorted(rounds, key=ratio)[len(rounds) // 2]
    rows = [
        load.row(f"without {given.what}", off_server, median[0], "1.00"),
        load.row(f"with {given.what}", on_server, median[1], f"{ratio(median):.3f}"),
    ]
    print(measure.table(load.HEADER, rows))
    print("\nratios of processor time, all rounds: " + ", ".join(f"{of_time(pair):.3f}" for pair in rounds))
    print("ratios of rates, all rounds: " + ", ".join(f"{of_rates(pair):.3f}" for pair in rounds))
    print(f"target: ratio ≥ {TARGETS[given.what]}")
    sys.exit(1 if any(one.errors for pair in rounds for one in pair) else 0)


if __name__ == "__main__":
    main()
