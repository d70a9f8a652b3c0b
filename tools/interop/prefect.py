"""Lets a real Prefect schedule a flow and a worker of its start the binary, and looks at the run there.

    python3 tools/interop/prefect.py [--prefect FILE] [--streamflow FILE] [--picture FILE]

`streamflow prefect deploy` makes a deployment that is due every minute; a process worker picks it up and starts
`streamflow flows run monthly` on a month whose labels changed, which must end COMPLETED as PROMOTED, with the same steps
there and here. A flow that sleeps is started from Prefect and cancelled there. `--picture FILE` keeps what the page of
the run looks like. Ends with exit code 1 when something differs.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PATIENCE_S = 300
# The zone is not the server's, so that a deployment without it would not be due when this one is.
FLOWS = """
[flows.monthly]
schedule = { cron = "* * * * *", zone = "Europe/Paris" }
parameters = { as_of = "2024-02-29", drop = "drops/month_2024-02-29" }
[flows.slow]
steps = [{ run = ["sleep", "60"] }]
"""


class Prefect:
    """A server and a worker with a folder of their own, ended on exit."""

    def __init__(self, program: str, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.program, self.home = program, home
        self.url = f"http://127.0.0.1:{port}/api"
        self.processes: list[subprocess.Popen] = []
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_API_URL": self.url,
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
        }
        self.environment.pop("PREFECT_API_URL", None)
        self.start("server", "server", "start", "--host", "127.0.0.1", "--port", str(port))
        self.environment["PREFECT_API_URL"] = self.url
        self.until("the server starts", lambda: self.get("health"))

    def start(self, name: str, *arguments: str) -> None:
        log = (self.home / f"{name}.log").open("w")
        self.processes.append(
            subprocess.Popen([self.program, *arguments], env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        )

    def __enter__(self) -> "Prefect":
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def get(self, path: str) -> object:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> dict:
        request = urllib.request.Request(
            f"{self.url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def until(self, what: str, look) -> object:
        """The first answer that is something; a failed look is tried again."""
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            try:
                if found := look():
                    return found
            except OSError:
                pass
            time.sleep(0.5)
        for log in self.home.glob("*.log"):
            print(f"--- {log.name}\n{log.read_text()[-5000:]}", file=sys.stderr)
        sys.exit(f"not within {PATIENCE_S} s: {what}")

    def runs(self, flow: str, state: str) -> list[dict]:
        body = {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"state": {"type": {"any_": [state]}}}}
        return self.post("flow_runs/filter", body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefect", default=os.environ.get("STREAMFLOW_PREFECT"))
    parser.add_argument("--picture", help="a file for a picture of the run's page")
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN"))
    arguments = parser.parse_args()
    if not arguments.prefect or not arguments.streamflow:
        sys.exit("name Prefect with --prefect or STREAMFLOW_PREFECT, the binary with --streamflow or STREAMFLOW_BIN")
    binary = str(Path(arguments.streamflow).resolve())
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        project = Path(folder)

        def streamflow(*words: str, **variables: str) -> str:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
            command = subprocess.run(
                [binary, *words], cwd=project, env={**environment, **variables}, check=True, stdout=subprocess.PIPE, text=True
            )
            return command.stdout

        streamflow("init", ".")
        streamflow("sample", "--out", "drops", "--rows", "3000", "--months", "2", "--relation-month", "2")
        streamflow("ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31")
        streamflow("train", "--as-of", "2024-01-31")
        with (project / "streamflow.toml").open("a") as config:
            config.write(FLOWS)
        with Prefect(arguments.prefect, Path(home)) as prefect:
            check(prefect, streamflow, arguments.picture)


def take(prefect: Prefect, run: dict, picture: str) -> None:
    """Keeps what the page of a run looks like in Chromium."""
    page = f"{prefect.url.removesuffix('/api')}/runs/flow-run/{run['id']}"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
             "--no-first-run", f"--user-data-dir={profile}", "--window-size=1280,900", "--virtual-time-budget=20000",
             f"--screenshot={Path(picture).resolve()}", page],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )


def check(prefect: Prefect, streamflow, picture: str | None) -> None:
    version = prefect.get("admin/version")
    streamflow("prefect", "deploy", "--flow", "monthly", "--flow", "slow", PREFECT_API_URL=prefect.url)
    prefect.start("worker", "worker", "start", "--pool", "streamflow")
    run = prefect.until("a scheduled run ends", lambda: prefect.runs("monthly", "COMPLETED"))[-1]
    first = json.loads(streamflow("flows", "runs", "--flow", "monthly", "--format", "json"))[-1]
    decision = first["state_name"]
    if (run["state_name"], decision) != ("PROMOTED", "PROMOTED") or not run["auto_scheduled"] or not run["deployment_id"]:
        sys.exit(f"the run there is {run}, and here it ended with {decision}")
    tasks = prefect.post("task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"})
    there = [task["name"] for task in tasks]
    steps = [task["name"] for task in json.loads(streamflow("flows", "inspect", str(first["id"]), "--format", "json"))["tasks"]]
    if there != steps or any(task["state_name"] != "Completed" for task in tasks):
        sys.exit(f"the steps there are {[(task['name'], task['state_name']) for task in tasks]}, here {steps}")
    if picture:
        take(prefect, run, picture)

    deployments = prefect.post("deployments/filter", {"flows": {"name": {"any_": ["slow"]}}})
    slow = prefect.post(f"deployments/{deployments[0]['id']}/create_flow_run", {})
    prefect.until("a run started by hand runs", lambda: prefect.runs("slow", "RUNNING"))
    prefect.post(f"flow_runs/{slow['id']}/set_state", {"state": {"type": "CANCELLING"}})
    prefect.until("a run is cancelled", lambda: prefect.runs("slow", "CANCELLED"))
    here = json.loads(streamflow("flows", "runs", "--flow", "slow", "--format", "json"))[0]
    if here["state"] != "cancelled":
        sys.exit(f"a run that was cancelled there is {here['state']} here: {here['message']}")
    print(
        f"Prefect {version}: a worker started a scheduled monthly, which ended {run['state_type']} / {decision} after {len(steps)} steps; "
        "a run cancelled there is cancelled here"
    )


if __name__ == "__main__":
    main()
