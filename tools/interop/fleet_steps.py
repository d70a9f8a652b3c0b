"""What runs in `fleet.py`: Postgres, a bucket, HAProxy, replicas, namespaces of the network, and a load that checks answers."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from feast_steps import Servers, free_port, until

CLIENTS = 4
PAUSE_S = 0.04
ANSWER_WITHIN_S = 45
BUCKET = "shop"


def said(*words: object, **more: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


class Network:
    """A namespace whose server reaches the database by a link of its own, which can be cut; none where this is not root."""

    def __init__(self) -> None:
        self.name = f"fleet{os.getpid()}"
        self.is_there = os.geteuid() == 0 and shutil.which("ip") is not None
        self.is_there = self.is_there and subprocess.run(["ip", "netns", "add", self.name], capture_output=True).returncode == 0
        self.net = 200 + os.getpid() % 50
        if self.is_there:
            said("ip", "-n", self.name, "link", "set", "lo", "up")
            for number in range(2):
                here, there = f"sf{number}h{os.getpid()}", f"sf{number}n{os.getpid()}"
                said("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
                said("ip", "address", "add", f"10.{self.net}.{number}.1/30", "dev", here)
                said("ip", "link", "set", here, "up")
                said("ip", "-n", self.name, "address", "add", f"10.{self.net}.{number}.2/30", "dev", there)
                said("ip", "-n", self.name, "link", "set", there, "up")

    def here(self, number: int) -> str:
        return f"10.{self.net}.{number}.1" if self.is_there else "127.0.0.1"

    def there(self) -> str:
        return f"10.{self.net}.0.2" if self.is_there else "127.0.0.1"

    def words(self) -> list[str]:
        return ["ip", "netns", "exec", self.name] if self.is_there else []

    def set_database(self, state: str) -> None:
        said("ip", "link", "set", f"sf1h{os.getpid()}", state)

    def end(self) -> None:
        if self.is_there:
            said("ip", "netns", "delete", self.name)


class Postgres:
    """A server of its own user, which may be stopped as a crash stops it."""

    def __init__(self, home: Path, network: Network) -> None:
        named = os.environ.get("STREAMFLOW_POSTGRES_BIN")
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not named and not found:
            sys.exit("there is no Postgres in /usr/lib/postgresql, and STREAMFLOW_POSTGRES_BIN names none")
        self.programs, self.data = Path(named or found[-1]), home / "postgres"
        self.port = free_port()
        self.data.mkdir()
        self.user = []
        if os.geteuid() == 0:
            home.chmod(0o755)
            shutil.chown(self.data, "postgres", "postgres")
            self.user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
        self.run("initdb", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", f"--pgdata={self.data}")
        addresses = sorted({"127.0.0.1", network.here(1)})
        settings = f"port = {self.port}\nunix_socket_directories = '{self.data}'\nlisten_addresses = '{','.join(addresses)}'\n"
        (self.data / "postgresql.auto.conf").write_text(settings)
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.0.0.0/8 trust\n")
        self.start()

    def run(self, program: str, *words: str) -> str:
        return said(*self.user, self.programs / program, *words, cwd="/")

    def start(self) -> None:
        # Its log is a file, since it holds open what it inherits.
        self.run("pg_ctl", "start", "-w", "-t", "60", f"--pgdata={self.data}", f"--log={self.data}/log")

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", f"--pgdata={self.data}")

    def url(self, host: str) -> str:
        return f"postgres://postgres@{host}:{self.port}/postgres"

    def ask(self, sql: str) -> list[list[str]]:
        address = ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]
        told = self.run("psql", "--no-psqlrc", "--tuples-only", "--no-align", *address, f"--command=SET search_path = streamflow; {sql}")
        return [line.split("|") for line in told.splitlines() if line and line != "SET"]


class Replica:
    """An `up` with its working copy and samples of its own."""

    def __init__(self, name: str, project: Path, streamflow: str, environment: dict, words: list[str], host: str) -> None:
        self.name, self.project, self.streamflow, self.words, self.host = name, project, streamflow, words, host
        self.ports = free_port(), free_port()
        self.environment = {**environment, "XDG_CACHE_HOME": str(project / f"cache-{name}")}
        self.url = f"http://{host}:{self.ports[0]}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        listen, console = f"{self.host}:{self.ports[0]}", f"127.0.0.1:{self.ports[1]}"
        words = [*self.words, self.streamflow, "up", "--listen", listen, "--console", console, "--metrics-dir", str(self.project / f"samples-{self.name}")]
        with (self.project / f"log-{self.name}").open("a") as log:
            self.process = subprocess.Popen(words, cwd=self.project, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(f"replica {self.name} is ready", lambda: get(f"{self.url}/ready")["status"] == "ready")

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        code = self.process.wait(60)
        if number == signal.SIGTERM and code != 0:
            sys.exit(f"replica {self.name} ended with {code} when it was asked to stop")

    def live(self) -> dict:
        """The served version, as the page Live shows it. Its console listens within the namespace alone."""
        address = f"http://127.0.0.1:{self.ports[1]}/api/streamflow/live"
        return json.loads(said(*self.words, "curl", "--silent", "--fail", address))["versions"][0]


def start_bucket(servers: Servers, home: Path, moto: str, host: str) -> str:
    port = free_port()
    servers.start(home, moto, "-H", host, "-p", str(port))
    url = f"http://{host}:{port}"
    until("moto answers", lambda: urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT")).status == 200)
    return url


def start_proxy(servers: Servers, home: Path, haproxy: Path, shipped: Path, replicas: list[Replica]) -> int:
    """HAProxy with the file that `init --size large` writes, whose servers are these replicas."""
    port, text = free_port(), shipped.read_text()
    lines = "\n".join(f"    server {replica.name} {replica.url.removeprefix('http://')}" for replica in replicas)
    resolvers = text[text.index("resolvers engine") : text.index("frontend predictions")]
    for before, after in (
        ("bind :8000", f"bind 127.0.0.1:{port}"),
        ("bind 127.0.0.1:8404", f"bind 127.0.0.1:{free_port()}"),
        (resolvers, ""),
        (" resolvers engine init-addr none", ""),
        ("    server-template api 8 api:8000", lines),
    ):
        if text.count(before) != 1:
            sys.exit(f"haproxy.cfg does not have {before!r} once")
        text = text.replace(before, after)
    (home / "haproxy.cfg").write_text(text)
    libraries = ":".join(str(path) for path in haproxy.parents[1].glob("lib/*-linux-gnu*"))
    servers.start(home, "env", f"LD_LIBRARY_PATH={libraries}", str(haproxy), "-db", "-f", str(home / "haproxy.cfg"))
    return port


class Load:
    """Clients that ask for one user after another, and hold every answer against the expected one."""

    def __init__(self, port: int, users: list[str]) -> None:
        self.port, self.users = port, users
        self.expected: dict[tuple[str, str], tuple] = {}
        self.answers: list[tuple[float, float, str, str, tuple]] = []
        self.failures: list[tuple[float, float, str]] = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(number,), daemon=True) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def ask(self, number: int) -> None:
        connection, at = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN_S), number
        while not self.is_over.wait(PAUSE_S):
            user, at = self.users[at % len(self.users)], at + CLIENTS
            start = time.time()
            try:
                connection.request("POST", "/predict", json.dumps({"user_id": user}), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.failures.append((start, time.time(), f"{answer.status} {body[:200]!r}"))
                    continue
                self.answers.append((start, time.time(), user, *told(json.loads(body))))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append((start, time.time(), repr(error)))
                connection.close()

    def end(self) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(ANSWER_WITHIN_S)

    def expect(self, url: str) -> str:
        """What this server says of every user is what all have to say of its version."""
        versions = set()
        for user in self.users:
            request = urllib.request.Request(f"{url}/predict", json.dumps({"user_id": user}).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                version, said = told(json.load(answer))
            versions.add(version)
            if self.expected.setdefault((user, version), said) != said:
                sys.exit(f"{url} says {said} of {user} by version {version}, and {self.expected[user, version]} was said before")
        return versions.pop() if len(versions) == 1 else sys.exit(f"{url} was promoted while it was asked: {versions}")

    def failed_since(self, time_s: float) -> list[tuple[float, float, str]]:
        return [failure for failure in self.failures if failure[1] >= time_s]

    def wrong(self) -> list[tuple]:
        return [answer for answer in self.answers if self.expected.get((answer[2], answer[3])) != answer[4]]


def told(body: dict) -> tuple[str, tuple]:
    return body["model"]["version"], (body["prediction"], body["probability"], body["as_of"])
