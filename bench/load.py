"""Starts a server, waits until it is ready, loads its POST /predict with wrk, and stops it by its process id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import measure


@dataclass
class Load:
    """What wrk saw at 64 connections. Latencies in milliseconds; `errors` counts socket errors and answers over 399.

    `cpu_us` is the server's processor time for one request: on a machine that wrk shares with the server it says more
    than the rate, which wrk may be the first to limit.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    errors: int
    peak_mib: float


@dataclass
class Server:
    """A running server: its process, address, and the seconds from its start to the first ready answer."""

    process: subprocess.Popen
    url: str
    ready_seconds: float


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], port: int, directory: str | None = None, patience_s: float = 120, path: str = "/ready"):
    """Runs `command` until the block ends; enters it when `path` answers 200. Its output is shown if it dies."""
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=directory)
        try:
            while not answers(url + path):
                if process.poll() is not None or time.perf_counter() - started > patience_s:
                    log.seek(0)
                    measure.stop_with(f"{' '.join(command)}\nwas not ready at {url}{path}:\n{log.read()}")
                time.sleep(0.005)
            yield Server(process, url, time.perf_counter() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wrk(server: Server, users: Path, seconds: int) -> Load:
    """A warm-up of two seconds, then `seconds` of load over 64 connections from one thread of wrk."""
    program = measure.tool("wrk", "apt-get install wrk")
    command = [program, "--threads", "1", "--connections", "64", "--timeout", "10s", "--script", str(measure.BENCH / "predict.lua")]
    environment = {**os.environ, "USERS_CSV": str(users)}
    subprocess.run([*command, "--duration", "2s", server.url], env=environment, check=True, capture_output=True)
    cpu_before = measure.cpu_seconds(server.process.pid)
    load = subprocess.Popen([*command, "--duration", f"{seconds}s", server.url], env=environment, stdout=subprocess.PIPE, text=True)
    peak_mib = 0.0
    while load.poll() is None:
        peak_mib = max(peak_mib, measure.resident_mib(server.process.pid))
        time.sleep(0.1)
    cpu = measure.cpu_seconds(server.process.pid) - cpu_before
    output = load.stdout.read()
    found = [line for line in output.splitlines() if line.startswith("RESULT ")]
    if not found:
        measure.stop_with(f"wrk printed no result:\n{output}")
    requests, micros, p50, p99, errors = map(int, found[0].split()[1:])
    cpu_us = cpu / max(requests, 1) * 1e6
    return Load(requests / (micros / 1e6), p50 / 1e3, p99 / 1e3, cpu_us, errors, peak_mib)


HEADER = ["server", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "RSS MiB", "ready s", "errors", "ratio"]


def row(name: str, server: Server, seen: Load, ratio: str) -> list[object]:
    """One line under HEADER."""
    rate = f"{seen.requests_per_second:,.0f}"
    figures = [f"{seen.p50_ms:.2f}", f"{seen.p99_ms:.2f}", f"{seen.cpu_us:.1f}", f"{seen.peak_mib:.0f}"]
    return [name, rate, *figures, f"{server.ready_seconds:.2f}", seen.errors, ratio]


def trained(binary: str, month: Path, directory: str) -> list[str]:
    """Ingests and trains on a month under `directory`; returns the command line of a server, up to its address."""
    measure.run([binary, "init", "."], cwd=directory)
    command = [binary, "--data-dir", str(Path(directory) / "data")]
    measure.run([*command, "ingest", "--as-of", "2024-01-31", str(month)], cwd=directory)
    measure.run([*command, "train", "--as-of", "2024-01-31"], cwd=directory)
    return [*command, "serve", "--listen"]
