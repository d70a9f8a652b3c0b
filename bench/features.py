"""What a prediction costs beside the wait for its features: `streamflow serve` in front of each source.

    FEAST/bin/python bench/features.py [--streamflow FILE] [--redis FILE] [--postgres DIR] [--requests 1000] [--delay-ms 5]

The Python is that of tools/venv-feast.sh: Feast's own code writes what its tables hold. A stub of its server, a real
Redis and a real Postgres hold every answer for the delay; a real Feast answers when it can. One client asks after another; the wait
is what the server counts (`feature_store_wait_seconds`), ours is what it counts of the whole request less that wait. Exit code 1 when a
prediction fails.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import load
import measure

# Feast imports fastapi, which is not the script of this name here.
sys.path.remove(str(measure.BENCH))
PROJECT = "churn"
VIEW = "all"


class Far:
    """Servers that answer after the delay, in a thread of their own."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def listen(self, serve) -> int:
        async def start():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            return server.sockets[0].getsockname()[1]

        return asyncio.run_coroutine_threadsafe(start(), self.loop).result()

    def proxy(self, port: int) -> int:
        async def serve(reader, writer):
            there, back = await asyncio.open_connection("127.0.0.1", port)

            async def pump(source, sink, delay_s):
                while data := await source.read(65536):
                    await asyncio.sleep(delay_s)
                    sink.write(data)
                    await sink.drain()
                sink.close()

            await asyncio.gather(pump(reader, back, 0), pump(there, writer, self.delay_s), return_exceptions=True)

        return self.listen(serve)

    def feature_server(self, rows: dict) -> int:
        """Answers as Feast's does."""

        async def serve(reader, writer):
            while not reader.at_eof():
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    break
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                users = json.loads(await reader.readexactly(length))["entities"]["user_id"]
                names = list(next(iter(rows.values())))
                columns = [{"values": users, "statuses": ["PRESENT"] * len(users)}]
                for name in names:
                    columns.append(
                        {
                            "values": [rows[user][name] for user in users],
                            "statuses": ["PRESENT"] * len(users),
                            "event_timestamps": ["2024-01-31T00:00:00Z"] * len(users),
                        }
                    )
                body = json.dumps({"metadata": {"feature_names": ["user_id", *names]}, "results": columns}).encode()
                await asyncio.sleep(self.delay_s)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()

        return self.listen(serve)


def values(row: dict) -> dict:
    """A row as Feast's messages."""
    from feast.protos.feast.types.Value_pb2 import Value

    kinds = {bool: "bool_val", int: "int64_val", float: "double_val", str: "string_val", type(None): None}
    return {name: Value(**({kinds[type(value)]: value} if value is not None else {})) for name, value in row.items()}


def key_of(user: str):
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user)])


def fill_redis(port: int, rows: dict) -> None:
    import redis
    from feast.infra.online_stores.helpers import _mmh3, _redis_key
    from google.protobuf.timestamp_pb2 import Timestamp

    pipe = redis.Redis(port=port, db=1).pipeline(transaction=False)
    for user, row in rows.items():
        fields = {_mmh3(f"{VIEW}:{name}"): value.SerializeToString() for name, value in values(row).items()}
        fields[f"_ts:{VIEW}"] = Timestamp(seconds=1706659200).SerializeToString()
        pipe.hset(_redis_key(PROJECT, key_of(user), 3), mapping=fields)
    pipe.execute()


def fill_postgres(port: int, rows: dict) -> None:
    import psycopg
    from feast.infra.key_encoding_utils import serialize_entity_key

    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres") as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {PROJECT}_{VIEW} (entity_key BYTEA, feature_name TEXT, value BYTEA, value_text TEXT, vector_value BYTEA, "
            "event_ts TIMESTAMPTZ, created_ts TIMESTAMPTZ, PRIMARY KEY (entity_key, feature_name))"
        )
        listed = [
            (serialize_entity_key(key_of(user), 3), name, value.SerializeToString())
            for user, row in rows.items()
            for name, value in values(row).items()
        ]
        insert = f"INSERT INTO {PROJECT}_{VIEW} VALUES (%s, %s, %s, NULL, NULL, '2024-01-31T00:00:00Z', NULL)"
        cursor.executemany(insert, listed)


def ask(port: int, users: list[str], requests: int) -> float:
    """Predicts one after another over one connection: the median time in milliseconds."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port), []
    for number in range(requests):
        body = json.dumps({"user_id": users[number % len(users)]})
        start = time.perf_counter()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        times.append(time.perf_counter() - start)
        if answer.status != 200:
            measure.stop_with(f"{answer.status}: {content.decode()}")
    return 1000 * statistics.median(times)


def timed(binary: str, directory: Path, name: str, section: str, given) -> None:
    """Serves with these settings and prints a line."""
    config, port = directory / f"{name}.toml", load.free_port()
    config.write_text((directory / "streamflow.toml").read_text().replace("[features]\n", f"[features]\n{section}timeout_ms = 5000\n"))
    command = [binary, "--config", str(config), "serve", "--listen", f"127.0.0.1:{port}"]
    with load.server(command, port, str(directory)) as server:
        ask(port, given.users, 100)
        before = given.counted(server.url)
        median = ask(port, given.users, given.requests)
        after = given.counted(server.url)

        def mean(metric: str) -> float:
            """Milliseconds of a request; one whose features are kept waits for nothing."""
            return 1000 * (after.get(f"{metric}_sum", 0) - before.get(f"{metric}_sum", 0)) / given.requests

        whole, wait = mean("streamflow_request_duration_seconds"), mean("feature_store_wait_seconds")
        print(f"| {name} | {median:.2f} | {wait:.3f} | {whole - wait:.3f} |", flush=True)


def run(*words: str, cwd: Path) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        measure.stop_with(f"{' '.join(words)}: {done.stderr}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--redis", default=os.environ.get("STREAMFLOW_REDIS", "redis-server"))
    options.add_argument("--postgres", default=str(max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))))
    options.add_argument("--requests", type=int, default=1000)
    options.add_argument("--delay-ms", type=float, default=5.0)
    given = options.parse_args()
    sys.path.append(str(Path(__file__).resolve().parent.parent / "tools/interop"))
    binary = measure.streamflow(given.streamflow)
    print(measure.machine())
    import feast_direct

    steps, servers = feast_direct.steps, feast_direct.steps.Servers()
    given.counted = steps.counted
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        try:
            directory = home / "project"
            run(binary, "init", "project", cwd=home)
            run(binary, "sample", "--out", "drops", "--months", "1", "--rows", "2000", cwd=directory)
            run(binary, "ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31", cwd=directory)
            run(binary, "train", "--as-of", "2024-01-31", cwd=directory)
            lines = (directory / "drops/month_2024-01-31/users.csv").read_text().splitlines()[1:]
            given.users = [line.split(",")[0] for line in lines]
            port = load.free_port()
            with load.server([binary, "serve", "--listen", f"127.0.0.1:{port}"], port, str(directory)) as server:
                rows = {}
                for start in range(0, len(given.users), 500):
                    _, answer = steps.post(f"{server.url}/predict/batch", {"entities": given.users[start : start + 500]})
                    rows.update({one["user_id"]: one["features_used"] for one in answer["predictions"]})
            far = Far(given.delay_ms / 1000)
            redis = steps.free_port()
            servers.start(home, given.redis, "--port", str(redis), "--bind", "127.0.0.1", "--save", "")
            postgres = feast_direct.postgres_server(servers, Path(given.postgres), home)
            fill_redis(redis, rows)
            fill_postgres(postgres, rows)
            listed = ", ".join(f'"{VIEW}:{name}"' for name in next(iter(rows.values())))
            feast = f'source = "feast"\nproject = "{PROJECT}"\nreferences = [{listed}]\n'
            own = directory / "push.toml"
            own.write_text(
                (directory / "streamflow.toml")
                .read_text()
                .replace("[features]\n", f'[features]\nsource = "redis"\nstore = "redis://127.0.0.1:{redis}/0"\n')
            )
            run(binary, "--config", str(own), "features", "push", cwd=directory)
            far_redis, far_postgres = far.proxy(redis), far.proxy(postgres)
            run(binary, "feast", "export", "feast", cwd=directory)
            real, _ = steps.serve_feast(servers, str(Path(sys.executable).with_name("feast")), directory / "feast")
            print(f"{given.requests} predictions one after another, {given.delay_ms:g} ms to each source but the real Feast\n")
            print("| source | client's median ms | wait, mean ms | ours, mean ms |\n|---|---|---|---|")
            for name, section in {
                "memory": "",
                "a stub of Feast's server": f'source = "feast"\nurl = "http://127.0.0.1:{far.feature_server(rows)}"\nservice = "churn"\n',
                "Feast's Redis": f'{feast}store = "redis://127.0.0.1:{far_redis}/1"\n',
                "Feast's Postgres": f'{feast}store = "postgresql://postgres@127.0.0.1:{far_postgres}/postgres"\n',
                "our Redis": f'source = "redis"\nstore = "redis://127.0.0.1:{far_redis}/0"\n',
                "our Redis, kept": f'source = "redis"\nstore = "redis://127.0.0.1:{far_redis}/0"\ncache_seconds = 600\n',
                "a real Feast": f'source = "feast"\nurl = "{real}"\nservice = "churn"\n',
            }.items():
                timed(binary, directory, name, section, given)
        finally:
            for started in servers.processes:
                servers.stop(started)


if __name__ == "__main__":
    main()
