"""The runner of flows: a flow of ten commands that do nothing, how late a scheduled run starts, a list of 100,000 runs.

    python3 bench/flows.py [--runs 100000] [--streamflow FILE]

Prints a table. There is no peer in it: one transition of a run costs a Prefect server more than the ten steps here.
"""

import argparse
import datetime
import json
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import load
import measure

STEPS = ", ".join(f'{{ name = "step_{n}", run = ["true"] }}' for n in range(10))
FLOWS = f"""
[flows.nothing]
steps = [{STEPS}]
[flows.tick]
schedule = {{ every = "1s" }}
steps = [{{ run = ["true"] }}]
"""


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def nothing(binary: str, folder: Path, rounds: int = 21) -> tuple[float, float]:
    """Milliseconds of the command, and of the run within it from its start to its end; medians."""
    of_command = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([binary, "flows", "run", "nothing"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        of_command.append(time.perf_counter() - started)
    with sqlite3.connect(folder / "data" / "streamflow.db") as database:
        runs = database.execute("SELECT started_at, ended_at FROM runs ORDER BY id DESC LIMIT ?", (rounds,)).fetchall()
    of_run = [seconds(ended) - seconds(started) for started, ended in runs]
    return statistics.median(of_command) * 1e3, statistics.median(of_run) * 1e3


def fill(database: sqlite3.Connection, count: int) -> None:
    """Runs that ended yesterday, with a transition each and one task."""
    yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).isoformat(timespec="milliseconds")
    at = yesterday.replace("+00:00", "Z")
    first = database.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM runs").fetchone()[0]
    ids = range(first, first + count)
    database.executemany(
        "INSERT INTO runs (id, flow, parameters, state, state_name, message, started_at, ended_at, cause) "
        "VALUES (?, ?, '{}', 'completed', 'Completed', '', ?, ?, 'schedule')",
        ((run, f"flow_{run % 7}", at, at) for run in ids),
    )
    database.executemany(
        "INSERT INTO tasks (run_id, name, state, state_name, started_at, duration_ms) VALUES (?, 'step', 'completed', 'Completed', ?, 1)",
        ((run, at) for run in ids),
    )
    database.executemany(
        "INSERT INTO transitions (run_id, state, state_name, at) VALUES (?, 'completed', 'Completed', ?)",
        ((run, at) for run in ids),
    )


def served(binary: str, folder: Path) -> dict[str, float]:
    """Milliseconds of the first page of runs, and how late a run that is due every second starts; medians."""
    api, console = load.free_port(), load.free_port()
    command = [binary, "up", "--listen", f"127.0.0.1:{api}", "--console", f"127.0.0.1:{console}"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{console}/api/streamflow/runs"
        while not load.answers(f"http://127.0.0.1:{console}/-/ready"):
            time.sleep(0.05)
        pages = []
        for query in ["", "?flow=flow_3", "?state=failed"] * 5:
            started = time.perf_counter()
            with urllib.request.urlopen(base + query, timeout=30) as answer:
                answer.read()
            pages.append((query, time.perf_counter() - started))
        time.sleep(10)
        with urllib.request.urlopen(base + "?flow=tick", timeout=30) as answer:
            ticks = [run for run in json.load(answer) if run.get("due") and run.get("started")]
    finally:
        process.terminate()
        process.wait(20)
    late = [seconds(run["started"]) - seconds(run["due"]) for run in ticks[:8]]
    by_query = {query or "all": statistics.median(s for q, s in pages if q == query) * 1e3 for query, _ in pages}
    return {**{f"runs page, {query}": ms for query, ms in by_query.items()}, "start after its time": statistics.median(late) * 1e3}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--runs", type=int, default=100_000)
    given = options.parse_args()
    binary = measure.streamflow(given.streamflow)
    print(measure.machine())
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        measure.run([binary, "init", "."], cwd=directory)
        with (folder / "streamflow.toml").open("a") as config:
            config.write(FLOWS)
        text = (folder / "streamflow.toml").read_text()
        (folder / "streamflow.toml").write_text(text.replace("# keep_of_flow = 1_000", "keep_of_flow = 1_000_000"))
        measure.run([binary, "flows", "run", "nothing"], cwd=directory)
        command_ms, run_ms = nothing(binary, folder)
        rows = {"flows run of ten steps, the command": command_ms, "the same, from the run's start to its end": run_ms}
        with sqlite3.connect(folder / "data" / "streamflow.db") as database:
            fill(database, given.runs)
        rows.update(served(binary, folder))
    print(f"\n| {given.runs:,} runs stored | ms |\n| --- | --: |")
    for name, ms in rows.items():
        print(f"| {name} | {ms:.1f} |")


if __name__ == "__main__":
    main()
