"""The whole loop under load: `monthly` ingests a month whose labels changed, trains, compares and promotes while wrk asks.

    python3 bench/promotion.py [--seconds 30]

`streamflow serve` answers the course's first month with a model of it; wrk loads it over 64 connections while
`streamflow flows run monthly` takes the second month to a promoted version. Prints how many requests were answered and
how many failed. Exit code 1 when one failed, or when the version was not promoted and served.
"""

import argparse
import json
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import load
import measure


def served_version(url: str, user: str) -> str:
    """The version that answers for a user."""
    body = json.dumps({"user_id": user}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["model"]["version"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--seconds", type=int, default=30)
    given = options.parse_args()

    measure.tool("wrk", "apt-get install wrk")
    binary = measure.streamflow(given.streamflow)
    course = measure.course_dir(given.course)
    # Who has left by the second month is not known any more once it is served.
    first, second = ((course / month / "users.csv").read_text().splitlines() for month in ("month_000", "month_001"))
    stay = {line.split(",")[0] for line in second}
    known = [line for line in first if line.split(",")[0] in stay]
    user = known[1].split(",")[0]
    with tempfile.TemporaryDirectory() as directory:
        users = Path(directory) / "users.csv"
        users.write_text("\n".join(known) + "\n")
        port = load.free_port()
        command = [*load.trained(binary, course / "month_000", directory), f"127.0.0.1:{port}"]
        monthly = [binary, "flows", "run", "monthly", "--param", "as_of=2024-02-29",
                   "--param", f"drop={course / 'month_001'}", "--format", "json"]
        with load.server(command, port, directory) as server:
            before = served_version(server.url, user)
            outcome = {}

            def loop() -> None:
                time.sleep(given.seconds / 4)
                started = time.perf_counter()
                done = subprocess.run(monthly, cwd=directory, stdout=subprocess.PIPE, text=True, check=False)
                outcome.update(json.loads(done.stdout or "{}"), seconds=time.perf_counter() - started)

            flow = threading.Thread(target=loop)
            flow.start()
            seen = load.wrk(server, users, given.seconds)
            flow.join()
            after = served_version(server.url, user)
    requests = seen.requests_per_second * given.seconds
    print(f"{requests:,.0f} requests at {seen.requests_per_second:,.0f}/s, {seen.errors} failed; "
          f"monthly ended {outcome.get('state_name')} after {outcome.get('seconds', 0):.1f} s; "
          f"version {before} answered before, {after} after")
    if seen.errors or outcome.get("state_name") != "PROMOTED" or before == after:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
