"""Holds predictions from a real Feast's features against predictions from memory.

    python3 tools/interop/feast.py [--feast FILE] [--streamflow FILE]

Two sample months are ingested, a model is trained, `streamflow feast export` writes a repository, and a real Feast applies,
materialises and serves it. Every user of a month is then asked for twice, one server with its features in memory and one
with Feast's: the answers must be the same to the bit. Then Feast is stopped: the server must say 503, or answer from the
snapshot and say so, as configured. Prints what a prediction waits for Feast and what the rest of it takes. Ends with exit
code 1 when something differs.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import feast_steps as steps


def timed(users: list[str], url: str) -> float:
    """The median time of a prediction in milliseconds."""
    times = []
    for user in users:
        start = time.perf_counter()
        steps.post(f"{url}/predict", {"user_id": user})
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--feast", default=os.environ.get("STREAMFLOW_FEAST", "feast"))
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    arguments = parser.parse_args()
    streamflow, feast = (str(Path(arguments.streamflow).resolve()), str(Path(arguments.feast).absolute()))
    servers = steps.Servers()
    with tempfile.TemporaryDirectory() as home:
        try:
            project = steps.prepare(streamflow, Path(home))
            url, process = steps.serve_feast(servers, feast, project / "feast")
            memory = servers.serve(streamflow, project, project / "streamflow.toml")
            refusing = servers.serve(streamflow, project, steps.with_features(project, "refuse.toml", url, ""))
            falling = steps.with_features(project, "fall.toml", url, 'on_failure = "snapshot"')
            falling = servers.serve(streamflow, project, falling)
            rows = (project / f"drops/month_{steps.MONTHS[1]}/users.csv").read_text().splitlines()[1:]
            users = [row.split(",")[0] for row in rows]
            steps.compare(users, memory, refusing)
            status, body = steps.post(f"{refusing}/predict", {"user_id": "nobody"})
            if status != 404 or len(body["missing_features"]) != 14:
                sys.exit(f"an entity that Feast does not know: {status} {body}")
            whole, alone = timed(users[:200], falling), timed(users[:200], memory)
            wait = steps.waited(falling)
            servers.stop(process)
            status, body = steps.post(f"{refusing}/predict", {"user_id": users[0]})
            if status != 503 or "cannot be asked" not in body["error"]:
                sys.exit(f"without Feast: {status} {body}")
            status, body = steps.post(f"{falling}/predict", {"user_id": users[0]})
            if status != 200 or body["features_from"] != "snapshot":
                sys.exit(f"without Feast, from the snapshot: {status} {body}")
        finally:
            for started in servers.processes:
                servers.stop(started)
    print(
        f"Feast 0.67: {len(users)} users predicted from its features as from memory, to the bit; a prediction takes "
        f"{whole:.1f} ms, of which Feast {wait:.1f} ms (from memory {alone:.1f} ms, with the client's time); stopped: 503, or the snapshot"
    )


if __name__ == "__main__":
    main()
