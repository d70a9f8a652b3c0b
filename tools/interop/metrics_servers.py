"""A StreamFlow and a Prometheus of their own folders on free loopback ports, which may be killed and started again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

WAIT_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One of them: `start` and `kill` may follow each other as often as wanted, on the same folder and port."""

    def __init__(self, folder: Path, command: list[str], ready: str, port: int) -> None:
        self.folder, self.command, self.ready = folder, command, ready
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + self.ready, timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        log = (self.folder / "log").read_text()[-2000:]
        self.stop()
        sys.exit(f"{self.command[0]} did not start:\n{log}")

    def kill(self) -> None:
        """As a power cut ends it: no signal that can be caught."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def query(self, expression: str, at: float | None = None) -> list[dict]:
        asked = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{urllib.parse.urlencode(asked)}", timeout=60) as answer:
            return json.load(answer)["data"]["result"]


def streamflow(binary: str, folder: Path, config: str, settings: str = "") -> Server:
    """`settings` are lines of [metrics]."""
    folder.mkdir()
    subprocess.run([binary, "init", "."], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text(config)
    text = (folder / "streamflow.toml").read_text()
    text = re.sub(r"^# *prometheus_config = .*$", "", text, flags=re.MULTILINE)
    (folder / "streamflow.toml").write_text(text.replace("[metrics]\n", f'[metrics]\nprometheus_config = "prometheus.yml"\n{settings}', 1))
    api, console = free_port(), free_port()
    command = [binary, "up", "--listen", f"127.0.0.1:{api}", "--console", f"127.0.0.1:{console}"]
    return Server(folder, command, "/-/ready", console)


def prometheus(program: str, folder: Path, config: str, flags: list[str] | None = None) -> Server:
    folder.mkdir()
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", *(flags or [])]
    return Server(folder, command, "/-/ready", port)
