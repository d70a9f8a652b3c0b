"""What the comparisons share: a process's wall time and peak memory, pinned tool environments, a table.

Standard library only, so that `python3 bench/NAME.py` needs nothing installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
PROJECT = BENCH.parent


@dataclass
class Run:
    """One finished process: `seconds` from start to exit, `cpu_seconds` of all its threads, `peak_mib` the largest
    resident set of it and its children."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str


def stop_with(message: str) -> None:
    """Ends the script with exit code 2 and the remedy on stderr."""
    print(message, file=sys.stderr)
    raise SystemExit(2)


def tool(name: str, remedy: str) -> str:
    """Path of an installed program, or the end of the script with the way to install it."""
    path = shutil.which(name)
    if path is None:
        stop_with(f"{name} is not installed: {remedy}")
    return path


def streamflow(argument: str | None) -> str:
    """Path of the release binary: the flag, STREAMFLOW_BIN, or target/release/streamflow."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
    path = Path(argument or os.environ.get("STREAMFLOW_BIN") or target / "release" / "streamflow")
    if not path.is_file():
        stop_with(f"{path} does not exist: run `cargo build --release -p streamflow`, or name the binary with --streamflow or STREAMFLOW_BIN")
    return str(path.resolve())


def course_dir(argument: str | None) -> Path:
    """Directory with the two real months (month_000, month_001): the flag, or data/course of STREAMFLOW_SHARED."""
    shared = Path(os.environ.get("STREAMFLOW_SHARED", PROJECT.parent / "shared"))
    path = Path(argument) if argument else shared / "data" / "course"
    if not (path / "month_000" / "users.csv").is_file():
        stop_with(f"{path} has no month_000/users.csv: name the directory of the monthly drops with --course or STREAMFLOW_SHARED")
    return path.resolve()


def environment(name: str) -> str:
    """Python of the cached environment built from requirements-NAME.txt; built when missing or when the pins changed."""
    cache = Path(os.environ.get("STREAMFLOW_CACHE", PROJECT / "target" / "tools"))
    venv, pins = cache / f"venv-{name}", BENCH / f"requirements-{name}.txt"
    stamp = venv / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != pins.read_text():
        print(f"building {venv} from {pins.name}", file=sys.stderr)
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "--requirement", pins], check=True)
        stamp.write_text(pins.read_text())
    return str(venv / "bin" / "python")


def run(command: list[str], **popen: object) -> Run:
    """Runs a process to its end; a failing one ends the script with its output."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)
    # The pipe is drained by a thread of its own: wait4 alone gives this child's rusage, and a full pipe would block it.
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    output = "".join(lines)
    if process.returncode != 0:
        stop_with(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{output}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def best_of(times: int, command: list[str], **popen: object) -> Run:
    """The fastest of several runs, with the largest peak memory of them all."""
    runs = [run(command, **popen) for _ in range(times)]
    best = min(runs, key=lambda one: one.seconds)
    return Run(best.seconds, best.cpu_seconds, max(one.peak_mib for one in runs), best.output)


def resident_mib(pid: int) -> float:
    """Resident memory of a live process and its descendants, from /proc, in MiB; 0 when it is gone."""
    total = 0.0
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return total
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            total += int(line.split()[1]) / 1024
    return total + sum(resident_mib(int(child)) for child in children)


def cpu_seconds(pid: int) -> float:
    """Processor time a live process has used so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """One line that says where the figures come from: cores, memory, load before the run."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, load average before the run {os.getloadavg()[0]:.2f}"


def table(header: list[str], rows: list[list[object]]) -> str:
    """A markdown table; first column to the left, the others to the right."""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
