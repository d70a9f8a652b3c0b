"""What the scripts that run a real Feast share: a project, its servers, and the comparison of predictions."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE_S = 120
MONTHS = ["2024-01-31", "2024-02-29"]
BATCH = 200


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def post(url: str, body: dict) -> tuple[int, dict]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def until(what: str, ready) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"{what}: not within {PATIENCE_S} s")


class Servers:
    """Processes that are ended with this one."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen] = []

    def start(self, folder: Path, *words: str) -> subprocess.Popen:
        log = (folder / f"log{len(self.processes)}").open("w")
        started = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(started)
        return started

    def stop(self, process: subprocess.Popen) -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def serve(self, streamflow: str, project: Path, config: Path) -> str:
        port = free_port()
        self.start(project, streamflow, "--config", str(config), "serve", "--listen", f"127.0.0.1:{port}")
        url = f"http://127.0.0.1:{port}"
        until("streamflow serves", lambda: urllib.request.urlopen(f"{url}/ready").status == 200)
        return url


def prepare(streamflow: str, home: Path) -> Path:
    """A project with two months, a model and a repository for Feast."""
    project = home / "project"

    def run(*words: str) -> None:
        done = subprocess.run([streamflow, *words], cwd=project if project.is_dir() else home, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stderr}")

    run("init", "project")
    run("sample", "--out", "drops", "--months", "2", "--rows", "3000")
    for month in MONTHS:
        run("ingest", "--as-of", month, f"drops/month_{month}")
    run("train", "--as-of", MONTHS[0])
    run("feast", "export", "feast")
    return project


def serve_feast(servers: Servers, feast: str, repository: Path) -> tuple[str, subprocess.Popen]:
    environment = {**os.environ, "FEAST_USAGE": "False"}
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    for words in (["apply"], ["materialize", "2024-01-30T00:00:00", now]):
        done = subprocess.run([feast, *words], cwd=repository, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"feast {' '.join(words)}: {done.stdout}{done.stderr}")
    port = free_port()
    process = servers.start(repository, feast, "serve", "--host", "127.0.0.1", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    until("feast serves", lambda: urllib.request.urlopen(f"{url}/health").status == 200)
    return url, process


def with_features(project: Path, name: str, url: str, more: str) -> Path:
    config = project / name
    text = (project / "streamflow.toml").read_text()
    given = f'[features]\nsource = "feast"\nurl = "{url}"\nservice = "churn"\n{more}\n'
    if text.count("[features]\n") != 1:
        sys.exit("the template has no section [features]")
    config.write_text(text.replace("[features]\n", given))
    return config


def compare(users: list[str], memory: str, feast: str) -> None:
    origins = ("features_from", "features_at")
    for at in range(0, len(users), BATCH):
        body = {"entities": users[at : at + BATCH]}
        (_, ours), (_, theirs) = post(f"{memory}/predict/batch", body), post(f"{feast}/predict/batch", body)
        for one, other in zip(ours["predictions"], theirs["predictions"], strict=True):
            if other.get("features_from") != "feast" or not other.get("features_at"):
                sys.exit(f"an answer does not say that its features are from Feast: {other}")
            plain = {key: value for key, value in other.items() if key not in origins}
            if plain != one:
                sys.exit(f"Feast's features give another answer:\n{one}\n{plain}")


def counted(url: str) -> dict[str, float]:
    """The metrics of a server."""
    text = urllib.request.urlopen(f"{url}/metrics").read().decode()
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if not line.startswith("#")}


def waited(url: str) -> float:
    """The mean wait for Feast in milliseconds, as the server counts it."""
    read = counted(url)
    return 1000 * read["feature_store_wait_seconds_sum"] / read["feature_store_wait_seconds_count"]
