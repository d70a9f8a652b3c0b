"""Two replicas on Postgres and a bucket, behind HAProxy, under a load that checks every answer, while things break.

    python3 tools/interop/fleet.py [--streamflow FILE] [--moto FILE] [--haproxy FILE]

One replica is killed, then the leader; the leader is stopped for a minute and goes on; the database is crashed and is away
for ten seconds; a version is promoted; both replicas are restarted one after the other; and, as root, one replica is cut off
from the database by its network. No answer may be wrong; what fails may be the requests that were in flight at a kill, and
nothing while replicas are restarted; another replica leads within 15 seconds; every time of a flow that is due every five
seconds has one run; and both replicas show the live traffic of both. Ends with exit code 1 when something differs.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from feast_steps import Servers, until
from fleet_steps import CLIENTS, Load, Network, Postgres, Replica, get, said, start_bucket, start_proxy

MONTH = "2024-01-31"
EVERY_S = 5
TAKEOVER_S = 15
PROMOTION_S = 5
STOPPED_S = 60
AWAY_S = 10
# Two checks of the proxy, of two seconds each, and their answer.
NOTICED_S = 6
FLOW = f"""
[flows.tick]
schedule = {{ every = "{EVERY_S}s", catchup = "all" }}
steps = [{{ run = ["true"] }}]
"""


class Fleet:
    def __init__(self, replicas: list[Replica], database: Postgres, load: Load) -> None:
        self.replicas, self.database, self.load = replicas, database, load
        self.takeovers: list[float] = []
        self.failed: dict[str, int] = {}
        # When a server was killed: what it had answered in that minute may be in no window.
        self.kills: list[float] = []

    def leader(self) -> Replica | None:
        """Who leads, by the process in the row."""
        rows = self.database.ask("SELECT holder FROM leader")
        pid = int(rows[0][0].split(" ")[2]) if rows and rows[0][0] else None
        return next((replica for replica in self.replicas if replica.process.pid == pid or parent(pid) == replica.process.pid), None)

    def led(self) -> tuple[Replica, Replica]:
        """The leader and the other."""
        found: list[Replica] = []

        def is_led() -> bool:
            found[:] = [leader] if (leader := self.leader()) else []
            return bool(found)

        until("somebody leads", is_led)
        return found[0], next(replica for replica in self.replicas if replica is not found[0])

    def taken_over(self, by: Replica, since: float) -> None:
        until(f"replica {by.name} leads", lambda: self.leader() is by)
        took = time.time() - since
        if took > TAKEOVER_S:
            sys.exit(f"replica {by.name} took over after {took:.1f} s; expected {TAKEOVER_S} s at most")
        self.takeovers.append(took)

    def judge(self, what: str, since: float, in_flight_until: float, at_most: int) -> None:
        failed = self.load.failed_since(since)
        late = [failure for failure in failed if failure[0] > in_flight_until]
        if late or len(failed) > at_most:
            sys.exit(f"{what}: {len(failed)} requests failed; expected {at_most} at most, all of them in flight: {failed[:8]}")
        self.failed[what] = len(failed)
        if wrong := self.load.wrong():
            sys.exit(f"{what}: {len(wrong)} answers are wrong, such as {wrong[0]}")

    def settle(self, seconds: float = 6) -> None:
        """Both answer, and the proxy has seen it."""
        for replica in self.replicas:
            until(f"replica {replica.name} is ready", lambda replica=replica: get(f"{replica.url}/ready")["status"] == "ready")
        time.sleep(seconds)

    def kill(self, what: str, replica: Replica, other: Replica, is_leader: bool) -> None:
        since = time.time()
        self.kills.append(since)
        replica.end(signal.SIGKILL)
        dead = time.time()
        if is_leader:
            self.taken_over(other, since)
        time.sleep(5)
        self.judge(what, since, dead, CLIENTS)
        replica.start()
        self.settle()

    def stop_leader(self) -> None:
        leader, other = self.led()
        since = time.time()
        leader.process.send_signal(signal.SIGSTOP)
        self.taken_over(other, since)
        time.sleep(max(0.0, STOPPED_S - (time.time() - since)))
        leader.process.send_signal(signal.SIGCONT)
        self.settle(15)
        if self.leader() is not other:
            sys.exit(f"replica {other.name} leads no longer, after replica {leader.name} went on")
        self.judge("leader stopped", since, since + NOTICED_S, CLIENTS)

    def without_database(self) -> None:
        # A minute ends while it is away.
        time.sleep((60 - AWAY_S / 2 - time.time()) % 60)
        since = time.time()
        self.database.stop()
        time.sleep(AWAY_S)
        for replica in self.replicas:
            if "database_away" not in get(f"{replica.url}/ready"):
                sys.exit(f"replica {replica.name} does not say that the database is away")
        self.database.start()
        for replica in self.replicas:
            until("the database is back", lambda replica=replica: "database_away" not in get(f"{replica.url}/ready"))
        self.led()
        self.settle()
        self.judge("database away", since, since, 0)

    def cut_off(self, network: Network) -> None:
        """The replica of the namespace leads and is cut off from the database, and from nothing else."""
        replica, other = self.replicas[1], self.replicas[0]
        if self.led()[0] is not replica:
            other.end(signal.SIGTERM)
            until(f"replica {replica.name} leads", lambda: self.leader() is replica)
            other.start()
            self.settle()
        since = time.time()
        network.set_database("down")
        self.taken_over(other, since)
        until("it says so", lambda: "database_away" in get(f"{replica.url}/ready"))
        time.sleep(10)
        network.set_database("up")
        until("it is back", lambda: "database_away" not in get(f"{replica.url}/ready"))
        self.settle(15)
        if self.leader() is not other:
            sys.exit(f"replica {other.name} leads no longer, after replica {replica.name} came back")
        self.judge("cut off from the database", since, since, 0)

    def promote(self, run) -> float:
        run("models", "promote", "2")
        since = time.time()
        for replica in self.replicas:
            until("version 2 is served", lambda replica=replica: get(f"{replica.url}/ready")["model"]["version"] == "2")
        reached = time.time() - since
        if reached > PROMOTION_S:
            sys.exit(f"a promotion reached both replicas after {reached:.1f} s; expected {PROMOTION_S} s at most")
        for replica in self.replicas:
            self.load.expect(replica.url)
        self.judge("promotion", since, since, 0)
        late = [answer for answer in self.load.answers if answer[0] > since + PROMOTION_S and answer[3] != "2"]
        if late:
            sys.exit(f"{len(late)} answers are of another version than the promoted one, such as {late[0]}")
        return reached

    def restart(self) -> None:
        since = time.time()
        for replica in reversed(self.replicas):
            replica.end(signal.SIGTERM)
            replica.start()
            self.settle()
        self.judge("rolling restart", since, since, 0)

    def live(self) -> tuple[int, int]:
        """Both replicas show the same of the last minute, and it is what both have answered."""
        found: list[tuple] = []

        def agree() -> bool:
            lives = [replica.live() for replica in self.replicas]
            found[:] = [(live["at"], live["windows"][0]["entities"], live["windows"][0]["requests"]) for live in lives]
            return found[0] == found[1] and found[0][0] is not None

        until("both replicas show the same live traffic", agree)
        at, entities, requests = found[0]
        end = datetime.fromisoformat(at).timestamp()
        answered = [answer[1] for answer in self.load.answers if answer[3] == "1" and answer[1] < end - 1]
        lost = [at for at in answered if any(at // 60 == kill // 60 for kill in self.kills)]
        asked = len(self.load.users)
        if entities != asked or requests < len(answered) - len(lost):
            sys.exit(f"live traffic until {at}: {entities} entities and {requests} requests; expected {asked} and {len(answered) - len(lost)} or more")
        return entities, requests

    def runs(self) -> tuple[int, int]:
        """The times that were due, each of which has one run; and the runs that a kill ended."""
        rows = self.database.ask("SELECT due_at, state FROM runs WHERE flow = 'tick' ORDER BY due_at")
        due = [datetime.fromisoformat(row[0]).timestamp() for row in rows]
        steps = [(before, after) for before, after in zip(due, due[1:]) if after - before != EVERY_S]
        if steps:
            sys.exit(f"times of a flow without a run or with two: {[(datetime.fromtimestamp(a), b - a) for a, b in steps[:5]]}")
        ended = [state for _, state in rows[:-2] if state != "completed"]
        if any(state != "crashed" for state in ended) or len(ended) > len(self.kills):
            sys.exit(f"runs that did not complete: {ended}")
        return len(rows), len(ended)


def parent(pid: int | None) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split(" ")[1])
    except OSError:
        return None


def prepare(home: Path, streamflow: str, database: Postgres, network: Network, bucket: str):
    """A project whose data directory is in the bucket, with a month and two versions; what runs its commands."""
    said(streamflow, "init", "--size", "large", "project", cwd=home)
    project = home / "project"
    said(streamflow, "sample", "--out", "drops", "--months", "1", "--rows", "300", cwd=project)
    text = (project / "streamflow.toml").read_text()
    if 'url_env = "STREAMFLOW_DATABASE_URL"' not in text or text.count('kind = "postgres"') != 1:
        sys.exit("init --size large keeps its state elsewhere than in Postgres")
    (project / "streamflow.toml").write_text(text + FLOW)
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    shared = {**os.environ, **credentials, "AWS_ENDPOINT_URL": bucket, "AWS_ALLOW_HTTP": "true", "STREAMFLOW_DATA_DIR": "s3://shop/data"}
    own = {**shared, "STREAMFLOW_DATABASE_URL": database.url("127.0.0.1"), "XDG_CACHE_HOME": str(project / "cache")}

    def run(*words: str) -> str:
        return said(streamflow, *words, cwd=project, env=own)

    run("ingest", "--as-of", MONTH, f"drops/month_{MONTH}")
    run("train", "--as-of", MONTH)
    run("train", "--as-of", MONTH, "--seed", "7")
    cut = {**shared, "STREAMFLOW_DATABASE_URL": database.url(network.here(1))}
    replicas = [
        Replica("a", project, streamflow, own, [], "127.0.0.1"),
        Replica("b", project, streamflow, cut, network.words(), network.there()),
    ]
    return project, replicas, run


def main() -> None:
    parser = argparse.ArgumentParser()
    cache = Path(os.environ.get("STREAMFLOW_CACHE", "."))
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    parser.add_argument("--moto", default=os.environ.get("STREAMFLOW_MOTO", str(cache / "moto/bin/moto_server")))
    parser.add_argument("--haproxy", type=Path, default=cache / "haproxy/usr/sbin/haproxy")
    arguments = parser.parse_args()
    streamflow, servers, network = str(Path(arguments.streamflow).resolve()), Servers(), Network()
    database, replicas, load = None, [], None
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            database = Postgres(home, network)
            bucket = start_bucket(servers, home, arguments.moto, network.here(0))
            project, replicas, run = prepare(home, streamflow, database, network, bucket)
            for replica in replicas:
                replica.start()
            users = (project / f"drops/month_{MONTH}/users.csv").read_text().splitlines()[1:]
            load = Load(start_proxy(servers, home, arguments.haproxy, project / "haproxy.cfg", replicas), [row.split(",")[0] for row in users])
            for replica in replicas:
                load.expect(replica.url)
            fleet = Fleet(replicas, database, load)
            fleet.settle()
            load.start()
            fleet.settle()
            print(line(fleet, network, run))
        finally:
            if load:
                load.end()
            for replica in replicas:
                if replica.process and replica.process.poll() is None:
                    replica.process.send_signal(signal.SIGCONT)
                    servers.stop(replica.process)
            for started in servers.processes:
                servers.stop(started)
            if database:
                database.stop()
            network.end()


def line(fleet: Fleet, network: Network, run) -> str:
    began = time.time()
    leader, other = fleet.led()
    fleet.kill("replica killed", other, leader, False)
    leader, other = fleet.led()
    fleet.kill("leader killed", leader, other, True)
    fleet.stop_leader()
    fleet.without_database()
    entities, requests = fleet.live()
    reached = fleet.promote(run)
    fleet.restart()
    if network.is_there:
        fleet.cut_off(network)
    else:
        print("fleet: SKIPPED, no replica was cut off from the database: that needs root and `ip netns`", file=sys.stderr)
    fleet.load.end()
    due, ended = fleet.runs()
    failed = sum(fleet.failed.values())
    answered, seconds = len(fleet.load.answers), time.time() - began
    cut = ", cut off from the database by the network" if network.is_there else ""
    return (
        f"two replicas on Postgres and a bucket behind HAProxy: {answered} answers in {seconds:.0f} s, 0 wrong, {failed} requests failed "
        f"({', '.join(f'{what} {count}' for what, count in fleet.failed.items())}); killed, stopped for {STOPPED_S} s, without the database "
        f"for {AWAY_S} s, restarted{cut}: another one led within {max(fleet.takeovers):.1f} s, a promotion reached both in {reached:.1f} s, "
        f"{due} times of a flow had one run each ({ended} ended by a kill), and both showed {entities} entities in {requests} requests of live traffic"
    )


if __name__ == "__main__":
    main()
