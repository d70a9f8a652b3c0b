"""Time and peak memory of a month of a million users out of Postgres and into it, beside the same month from files.

    python3 bench/postgres.py [--rows 1000000]

A server of Debian's package is started for the run, with its settings as they are, in a folder that goes with it. The
sample month is written by `streamflow sample`, ingested from its files, exported into the database, and ingested from
there into an empty data directory. Peak memory is that of our process alone.
"""

import argparse
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import measure

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=Path("/usr/bin"))
AS_OF = "2024-01-31"


def unprivileged(command: list[str]) -> list[str]:
    """Root starts it as the user postgres, since Postgres refuses to be root's."""
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--", *command] if os.geteuid() == 0 else command


class Postgres:
    """A server on a free port, for the life of the value."""

    def __init__(self, folder: Path) -> None:
        if not (PROGRAMS / "initdb").is_file():
            measure.stop_with(f"there is no initdb in {PROGRAMS}: install Debian's postgresql")
        folder.chmod(0o755)
        self.data = folder / "postgres"
        self.data.mkdir()
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres", self.data], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.run("initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "--pgdata", self.data)
        flags = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={self.data}"
        self.run("pg_ctl", "start", "-w", "--pgdata", self.data, "-l", self.data / "log", "-o", flags)
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"

    def run(self, program: str, *words: object) -> None:
        command = [str(PROGRAMS / program), *map(str, words)]
        subprocess.run(unprivileged(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "--pgdata", self.data)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--rows", type=int, default=1_000_000)
    given = options.parse_args()

    binary = measure.streamflow(given.streamflow)
    print(measure.machine())
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        server = Postgres(folder)
        try:
            rows = compared(binary, folder, server, given.rows)
        finally:
            server.stop()
    print(measure.table([f"a month of {given.rows:,} users, six tables", "seconds", "CPU s of ours", "peak RSS MiB", "target"], rows))


def compared(binary: str, folder: Path, server: Postgres, users: int) -> list[list[object]]:
    os.environ["STREAMFLOW_TABLES_URL"] = server.url
    measure.run([binary, "init", "."], cwd=directory_of(folder))
    config = folder / "project" / "streamflow.toml"
    config.write_text(config.read_text().replace("[dataset.label]", "[dataset.source.postgres]\n\n[dataset.label]", 1))
    project = directory_of(folder)
    measure.run([binary, "sample", "--out", "drops", "--rows", str(users), "--months", "1", "--start", AS_OF], cwd=project)
    size_mb = sum(file.stat().st_size for file in (folder / "project/drops" / f"month_{AS_OF}").iterdir()) / 1e6

    def run(data: str, *words: str) -> measure.Run:
        return measure.run([binary, "--data-dir", data, *words], cwd=project)

    steps = [
        (f"ingest from files, {size_mb:.0f} MB", run("one", "ingest", "--as-of", AS_OF, f"drops/month_{AS_OF}"), ""),
        ("export into Postgres", run("one", "data", "export", "--to", "postgres", "--as-of", AS_OF), "30 s"),
        ("ingest from Postgres", run("two", "ingest", "--as-of", AS_OF), "30 s"),
        ("the same again, which changes nothing", run("two", "ingest", "--as-of", AS_OF), ""),
    ]
    return [[name, f"{done.seconds:.2f}", f"{done.cpu_seconds:.2f}", f"{done.peak_mib:.0f}", target] for name, done, target in steps]


def directory_of(folder: Path) -> str:
    (folder / "project").mkdir(exist_ok=True)
    return str(folder / "project")


if __name__ == "__main__":
    main()
