"""Holds predictions from Feast's own tables, read without its feature server, against predictions from memory.

    python3 tools/interop/feast_direct.py [--feast FILE] [--streamflow FILE] [--redis FILE] [--postgres DIR]

A real Feast materialises two months into a real Redis, and then into a real Postgres, and serves them. `streamflow serve` reads
each store directly, is compared with the feature server when it starts, and has to predict every user of a month as from memory, to
the bit. Then the tables are read under another project, and another value is put into one: it must not start. Prints what a
prediction waits for each. Ends with exit code 1 when something differs.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import feast_steps as steps

MONTH = steps.MONTHS[1]

def redis_server(servers: steps.Servers, program: str, home: Path) -> int:
    port = steps.free_port()
    servers.start(home, program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "word")
    steps.until("Redis answers", lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
    return port


def as_postgres(*words: str) -> list[str]:
    """Postgres refuses to be root's."""
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
    return [*user, *words]


def postgres_server(servers: steps.Servers, programs: Path, home: Path) -> int:
    port, folder = steps.free_port(), home / "postgres"
    folder.mkdir()
    home.chmod(0o755)
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", str(folder)], check=True)
    data = folder / "data"
    make = as_postgres(str(programs / "initdb"), "--auth=trust", "--no-sync", "--username=postgres", "--pgdata", str(data))
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/")
    serve = as_postgres(str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder))
    servers.start(home, *serve)
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    steps.until("Postgres answers", lambda: subprocess.run(ready).returncode == 0)
    return port


def online_store(repository: Path, lines: list[str]) -> None:
    """Puts another online store into feature_store.yaml."""
    file = repository / "feature_store.yaml"
    text = file.read_text()
    start, end = text.index("online_store:"), text.index("offline_store:")
    file.write_text(text[:start] + "online_store:\n" + "".join(f"  {line}\n" for line in lines) + text[end:])


def references(project: Path) -> list[str]:
    """`VIEW:FEATURE` of every feature, as the exported repository has them."""
    found, view = [], ""
    for line in (project / "feast/features.py").read_text().splitlines():
        line = line.strip()
        if line.startswith('name="') and line.endswith('",'):
            view = line.removeprefix('name="').removesuffix('",')
        if line.startswith('Field(name="'):
            found.append(f"{view}:{line.split(chr(34))[1]}")
    return found


def configured(project: Path, name: str, store: str, url: str, feast_project: str = "churn") -> Path:
    config = project / name
    listed = ", ".join(f'"{reference}"' for reference in references(project))
    given = (
        f'[features]\nsource = "feast"\nstore = "{store}"\nurl = "{url}"\nproject = "{feast_project}"\nreferences = [{listed}]\n'
        "timeout_ms = 5000\n"
    )
    config.write_text((project / "streamflow.toml").read_text().replace("[features]\n", given))
    return config


def refuses(streamflow: str, project: Path, config: Path, expected: str) -> None:
    words = [streamflow, "--config", str(config), "serve", "--listen", f"127.0.0.1:{steps.free_port()}"]
    try:
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        sys.exit(f"it started though its tables say otherwise; expected {expected!r}")
    if done.returncode != 1 or expected not in done.stderr:
        sys.exit(f"expected {expected!r}, got {done.returncode}: {done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser()
    cache = Path(os.environ.get("STREAMFLOW_CACHE", "."))
    newest = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
    parser.add_argument("--feast", default=os.environ.get("STREAMFLOW_FEAST", "feast"))
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    parser.add_argument("--redis", default=os.environ.get("STREAMFLOW_REDIS", str(cache / "redis/bin/redis-server")))
    parser.add_argument("--postgres", default=str(newest))
    arguments = parser.parse_args()
    streamflow, feast = (str(Path(arguments.streamflow).resolve()), str(Path(arguments.feast).absolute()))
    os.environ["STREAMFLOW_FEATURES_PASSWORD"] = "word"
    servers = steps.Servers()
    waits = []
    with tempfile.TemporaryDirectory() as home:
        try:
            project = steps.prepare(streamflow, Path(home))
            memory = servers.serve(streamflow, project, project / "streamflow.toml")
            rows = (project / f"drops/month_{MONTH}/users.csv").read_text().splitlines()[1:]
            users = [row.split(",")[0] for row in rows]
            redis = redis_server(servers, str(Path(arguments.redis).absolute()), Path(home))
            postgres = postgres_server(servers, Path(arguments.postgres), Path(home))
            stores = {
                "Redis": (
                    f"redis://127.0.0.1:{redis}/0",
                    ["type: redis", f'connection_string: "127.0.0.1:{redis},password=word"'],
                ),
                "Postgres": (
                    f"postgresql://postgres@127.0.0.1:{postgres}/postgres",
                    ["type: postgres", "host: 127.0.0.1", f"port: {postgres}", "database: postgres", "user: postgres", "password: word", "db_schema: public", "sslmode: disable"],
                ),
            }
            for name, (store, lines) in stores.items():
                online_store(project / "feast", lines)
                url, process = steps.serve_feast(servers, feast, project / "feast")
                config = configured(project, f"{name}.toml", store, url)
                direct = servers.serve(streamflow, project, config)
                compared = steps.counted(direct)["feature_store_compared_entities"]
                if compared != 20:
                    sys.exit(f"{name}: 20 entities were to be compared, not {compared}")
                steps.compare(users, memory, direct)
                for user in users[:200]:
                    steps.post(f"{direct}/predict", {"user_id": user})
                waits.append(f"{name} {steps.waited(direct):.2f} ms")
                other = configured(project, f"other{name}.toml", store, url, "other")
                refuses(streamflow, project, other, "does not exist" if name == "Postgres" else "the tables know nothing of it")
                servers.stop(process)
        finally:
            for started in servers.processes:
                servers.stop(started)
    print(
        f"Feast 0.67, its own tables: {len(users)} users predicted as from memory, to the bit, 20 of them compared with its "
        f"server at the start; a prediction waits for {' and '.join(waits)}; under another project it does not start"
    )


if __name__ == "__main__":
    main()
