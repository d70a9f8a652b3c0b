"""Counts tables on a real Ballista cluster of two executors, and takes an executor and its scheduler away.

    python3 tools/interop/cluster.py --streamflow FILE --node FILE --tables FILE [--rows N]

The binary is one built with the feature `cluster`; node and tables are examples of the crate: a scheduler or an executor of
Ballista's own libraries, and a writer of tables. Two tables are compared on the cluster, on DataFusion in one process and on
this machine: profiles must have the same bytes, and reports must be those of the profiles. Then an executor is killed while
it works: the command must give the right bytes or end with an error within its limit, and with an executor in its place the
bytes must be right. Last, the scheduler is killed. Prints how long each took. Ends with exit code 1 when something differs.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from feast_steps import free_port, until

PARTS = 4
QUERY_S = 600
# What a query may take after an executor was killed; columns are asked for four at a time, so more than one may wait for it.
LIMIT_S = 20


class Cluster:
    """A scheduler and two executors, each a process."""

    def __init__(self, node: str, home: Path) -> None:
        self.node, self.home, self.number = node, home, 0
        self.running: list[subprocess.Popen] = []
        self.folders: dict[int, Path] = {}
        self.port = free_port()
        self.scheduler = self.start("scheduler", str(self.port))
        until("the scheduler", lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None)
        self.executors = [self.executor(), self.executor()]

    @property
    def address(self) -> str:
        return f"ballista://127.0.0.1:{self.port}"

    def start(self, *words: str) -> subprocess.Popen:
        self.number += 1
        log = (self.home / f"node{self.number}.log").open("w")
        process = subprocess.Popen([self.node, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def executor(self) -> subprocess.Popen:
        folder = self.home / f"work{self.number}"
        folder.mkdir()
        process = self.start("executor", str(self.port), str(free_port()), str(free_port()), str(folder), "1")
        self.folders[process.pid] = folder
        return process

    def works(self, executor: subprocess.Popen) -> set[str]:
        """The jobs of which an executor has written something."""
        return {entry.name for entry in self.folders[executor.pid].iterdir()}

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


class Binary:
    def __init__(self, path: str, home: Path) -> None:
        self.path, self.home = path, home

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([self.path, *words], cwd=self.home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, process: subprocess.Popen) -> tuple[int, str, str]:
        out, err = process.communicate(timeout=QUERY_S)
        return process.returncode, out, err

    def run(self, *words: str) -> tuple[float, str]:
        start = time.perf_counter()
        code, out, err = self.end(self.start(*words))
        if code != 0:
            sys.exit(f"streamflow {' '.join(words)} ended with {code}: {err}")
        return time.perf_counter() - start, out


def nameless(report: str) -> dict:
    """A report without the names of its tables, which tell files from profiles."""
    report = json.loads(report)
    report["reference"].pop("name")
    report["current"].pop("name")
    return report


def check(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what} differ:\n{str(found)[:2000]}\n{str(expected)[:2000]}")


def expect_failure(what: str, ended: tuple[int, str, str], *words: str) -> None:
    code, _, err = ended
    if code != 1 or not all(word in err for word in words):
        sys.exit(f"{what}: ended with {code}, expected 1 and {words}: {err}")


def equal(binary: Binary, engines: dict[str, str]) -> dict[str, float]:
    """Profiles and reports of all engines against this machine's; the seconds that each took for a report."""
    for table in ("reference", "current"):
        binary.run("profile", table, "--out", f"{table}.local.json")
    taken, _ = binary.run("drift", "reference", "current", "--format", "json")
    seconds = {"this machine": taken}
    _, report = binary.run("drift", "reference.local.json", "current.local.json", "--format", "json")
    for name, engine in engines.items():
        for table in ("reference", "current"):
            binary.run("profile", table, "--engine", engine, "--out", f"{table}.engine.json")
            found, expected = ((binary.home / f"{table}.{kind}.json").read_text() for kind in ("engine", "local"))
            check(f"profiles of {name} and this machine", found, expected)
        taken, found = binary.run("drift", "reference", "current", "--engine", engine, "--format", "json")
        check(f"reports of {name} and of profiles", nameless(found), nameless(report))
        seconds[name] = taken
    return seconds


def without_executor(binary: Binary, cluster: Cluster) -> str:
    """Kills an executor as soon as it has worked on a query, and puts another in its place."""
    lost = cluster.executors.pop()
    before = cluster.works(lost)
    profile = ["profile", "reference", "--engine", cluster.address, "--engine-timeout", str(LIMIT_S), "--out"]
    started = binary.start(*profile, "killed.json")
    # The canary is four jobs, and may itself be what waits for the executor.
    until("a job", lambda: len(cluster.works(lost) - before) >= 6 or started.poll() is not None)
    if started.poll() is not None:
        sys.exit(f"no executor was killed: the query ended before, {binary.end(started)}")
    killed = time.perf_counter()
    kill(lost)
    code, _, err = binary.end(started)
    took = time.perf_counter() - killed
    expected = (binary.home / "reference.local.json").read_text()
    written = binary.home / "killed.json"
    if code == 0:
        check("profiles without an executor", written.read_text(), expected)
        told = f"gave the same profile {took:.0f} s later"
    else:
        if code != 1 or not any(words in err for words in ("has not answered", "cannot answer the query for")):
            sys.exit(f"an executor was killed: ended with {code}: {err}")
        if written.exists():
            sys.exit("an error left a profile")
        told = f"ended {took:.0f} s later with an error ({'its limit' if 'has not answered' in err else 'its reason'})"
    cluster.executors.append(cluster.executor())
    binary.run("profile", "reference", "--engine", cluster.address, "--out", "repeated.json")
    check("profiles after an executor was replaced", (binary.home / "repeated.json").read_text(), expected)
    return f"a query whose executor was killed {told} (limit {LIMIT_S} s), and was right when repeated with another"


def without_scheduler(binary: Binary, cluster: Cluster) -> str:
    """Kills the scheduler, and asks for a report with the way back to this machine and without."""
    kill(cluster.scheduler)
    drift = ["drift", "reference", "current", "--engine", cluster.address, "--format", "json"]
    ended = binary.end(binary.start(*drift))
    expect_failure("no scheduler", ended, f"127.0.0.1:{cluster.port} does not answer", "--engine-fallback")
    code, out, err = binary.end(binary.start(*drift, "--engine-fallback"))
    _, local = binary.run("drift", "reference", "current", "--format", "json")
    if code != 0 or "counting on this machine: the Ballista scheduler" not in err:
        sys.exit(f"--engine-fallback ended with {code}: {err}")
    check("reports of the fallback and of this machine", out, local)
    return "without its scheduler an error with the address, or with --engine-fallback this machine's report"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    parser.add_argument("--node", required=True)
    parser.add_argument("--tables", required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    streamflow, node, tables = (str(Path(p).resolve()) for p in (arguments.streamflow, arguments.node, arguments.tables))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, shift in (("reference", "0"), ("current", "20")):
            subprocess.run([tables, str(home / name), str(arguments.rows), str(PARTS), shift], check=True)
        binary, cluster = Binary(streamflow, home), Cluster(node, home)
        try:
            seconds = equal(binary, {"DataFusion": "datafusion", "Ballista": cluster.address})
            told = f"{without_executor(binary, cluster)}; {without_scheduler(binary, cluster)}"
        finally:
            cluster.stop()
    times = ", ".join(f"{name} {taken:.1f} s" for name, taken in seconds.items())
    print(f"Ballista 55: {arguments.rows} rows of 7 columns against as many, profiles equal to the byte; {times}; {told}")


if __name__ == "__main__":
    main()
