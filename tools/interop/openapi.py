"""Lets schemathesis ask both planes of a running server whatever their OpenAPI descriptions allow, and what they do not.

    python3 tools/interop/openapi.py [--schemathesis FILE] [--streamflow FILE] [--examples N]

The server has two ingested months, a trained model and a report. No answer may be a 5xx, have a status that the
description does not name, or a body or media type other than it says. Ends with exit code 1 where one does.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOKEN = "schemathesis-admin"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Runs of flows would be asked for by the thousand and take all cores; schemathesis writes no protobuf and reads no stream
# without an end; and where Prometheus's admin API is switched off, each of its requests is a 500, as of Prometheus.
LEFT_ALONE = [
    "post /api/streamflow/flows/{name}/backfill",
    "post /api/streamflow/flows/{name}/run",
    "post /api/streamflow/reports",
    "post /api/v1/write",
    "post /api/v1/read",
    "get /api/v1/notifications/live",
    *(f"{method} /api/v1/admin/tsdb/{name}" for method in ("post", "put") for name in ("clean_tombstones", "delete_series", "snapshot")),
]
# A flow that a hook may start as often as it likes.
HOOK = """
[flows.hooked]
on = ["webhook"]
steps = [{ run = ["true"] }]
"""
# What there is on the server, so that half of the requests find something.
KNOWN = r"""
[dictionaries.ids]
values = [1, 2, 3, 4, 5]
[dictionaries.names]
values = ["drift_2024-01-31_vs_2024-02-29", "monitor_month", "hooked", "job"]
[dictionaries.files]
values = ["drift_2024-01-31_vs_2024-02-29.html", "..%2f..%2fstreamflow.toml"]
[dictionaries.queries]
values = ["up", "rate(up[5m])", "sum by (job) (up)", "1", "'text'", "up[1m]", "absent(no)", "up offset 1y", "sum("]
[dictionaries.times]
values = ["0", "1706659200", "1706662800.5", "2024-01-31T00:00:00Z", "NaN"]
[dictionaries.steps]
values = ["15", "1m", "0", "-1", "1h"]
[parameters]
"path.id" = { dictionary = "ids", probability = 0.5 }
"path.name" = { dictionary = "names", probability = 0.5 }
"path.file" = { dictionary = "files", probability = 0.5 }
"query.query" = { dictionary = "queries", probability = 0.5 }
"query.time" = { dictionary = "times", probability = 0.5 }
"query.start" = { dictionary = "times", probability = 0.5 }
"query.end" = { dictionary = "times", probability = 0.5 }
"query.since" = { dictionary = "times", probability = 0.5 }
"query.step" = { dictionary = "steps", probability = 0.5 }
"""


class Server:
    """`streamflow up` over a folder with data, ended on exit."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.run("init", ".")
        with (folder / "streamflow.toml").open("a") as config:
            config.write(HOOK)
        self.run("sample", "--out", "drops", "--rows", "300")
        for month in ("2024-01-31", "2024-02-29"):
            self.run("ingest", "--as-of", month, f"drops/month_{month}")
            self.run("train", "--as-of", month)
        self.run("monitor", "--reference", "2024-01-31", "--current", "2024-02-29")
        self.log = (folder / "server.log").open("w+")
        self.process = subprocess.Popen(
            [program, "up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"],
            cwd=folder,
            env={**os.environ, "STREAMFLOW_API_TOKENS": TOKEN},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        self.planes: list[str] = []
        for line in self.process.stdout:
            if found := re.search(r"(?:listening|console) on (http://[^\s/]+)", line):
                self.planes.append(found[1])
            if len(self.planes) == 2:
                return
        sys.exit(f"the server never listened: {self.told()}")

    def run(self, *arguments: str) -> None:
        subprocess.run([self.program, *arguments], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def told(self) -> str:
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def ask(schemathesis: str, description: str, examples: int, home: Path) -> tuple[bool, str]:
    """Whether nothing differed, and what was printed."""
    (home / "schemathesis.toml").write_text(KNOWN)
    left_alone = [word for path in LEFT_ALONE for word in ("--exclude-operation-id", path)]
    command = [
        schemathesis, "--config-file", str(home / "schemathesis.toml"), "run", description,
        "--header", f"Authorization: Bearer {TOKEN}",
        "--checks", CHECKS,
        "--max-examples", str(examples),
        "--seed", "7",
        "--phases", "examples,coverage,fuzzing",
        "--no-color",
        *left_alone,
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=home, capture_output=True, text=True, env={**os.environ, "NO_PROXY": "127.0.0.1"})
    return ran.returncode == 0, ran.stdout + ran.stderr


def main() -> int:
    parser = argparse.ArgumentParser()
    cache = os.environ.get("STREAMFLOW_CACHE", "target/tools")
    parser.add_argument("--schemathesis", default=f"{cache}/schemathesis/bin/schemathesis")
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "target/quick/streamflow"))
    parser.add_argument("--examples", type=int, default=50, help="random requests of each operation")
    options = parser.parse_args()
    program = Path(options.schemathesis).absolute()
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    told = []
    with tempfile.TemporaryDirectory() as folder, Server(str(Path(options.streamflow).absolute()), Path(folder)) as server:
        for name, plane, path in zip(
            ("prediction API", "console"), server.planes, ("openapi.json", "api/streamflow/openapi.json"), strict=True
        ):
            is_good, printed = ask(str(program), f"{plane}/{path}", options.examples, Path(folder))
            asked = re.search(r"Test cases:\s*(\d+)", printed)
            if not is_good:
                print(printed, file=sys.stderr)
                print(server.told()[-4000:], file=sys.stderr)
                return 1
            told.append(f"{asked[1] if asked else 'no'} requests to the {name}")
    print(f"schemathesis {version}: {' and '.join(told)}, none answered with a 5xx or otherwise than described")
    return 0


if __name__ == "__main__":
    sys.exit(main())
