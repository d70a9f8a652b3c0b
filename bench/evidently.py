"""The drift report, process to process: Evidently 0.7.23 and `streamflow drift` on the same two files.

    python3 bench/evidently.py                          the two course months (7,043 rows)
    python3 bench/evidently.py --rows 100000            synthetic tables, fixed seed
    python3 bench/evidently.py --reference A.csv --current B.csv
    python3 bench/evidently.py --peer-only              without our binary

A time covers what a scheduled flow pays: starting the process, reading two CSV files, computing, writing the HTML and
the JSON report. The three metrics are defined in peers/evidently_report.py. `streamflow drift` runs once with Evidently's
tests (`--profile evidently`, the same declared types) and once with its own default profile. Best of --times runs.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import measure


def declared_types(reference: Path) -> list[str]:
    """The `--type` flags that mirror peers/evidently_report.py: columns of numbers are numerical, the entity is undeclared."""
    with reference.open(newline="") as lines:
        rows = csv.DictReader(lines)
        names = list(rows.fieldnames or [])
        first = {name: "" for name in names}
        for row in rows:
            for name in names:
                first[name] = first[name] or row[name]
            if all(first.values()):
                break
    flags = []
    for name in names:
        if name != "user_id":
            try:
                float(first[name])
                flags += ["--type", f"{name}=numerical"]
            except ValueError:
                flags += ["--type", f"{name}=categorical"]
    return flags


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, help="synthetic rows a side instead of the course data")
    options.add_argument("--reference", type=Path)
    options.add_argument("--current", type=Path)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--times", type=int, default=1, help="runs of each side; the fastest counts")
    options.add_argument("--peer-only", action="store_true")
    given = options.parse_args()
    if (given.reference is None) != (given.current is None):
        options.error("--reference and --current belong together")

    python = measure.environment("evidently")
    binary = None if given.peer_only else measure.streamflow(given.streamflow)
    print(measure.machine())
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory)
        reference, current = given.reference, given.current
        if reference is None:
            source = str(given.rows) if given.rows else str(measure.course_dir(given.course))
            measure.run([python, str(measure.BENCH / "peers" / "evidently_tables.py"), directory, source])
            reference, current = out / "reference.csv", out / "current.csv"
        report = [python, str(measure.BENCH / "peers" / "evidently_report.py"), str(reference), str(current), directory]
        peer = measure.best_of(given.times, report)
        sides = [("Evidently", peer, out / "evidently.html")]
        if binary:
            drift = [binary, "drift", str(reference), str(current)]
            for profile, flags in [("evidently", declared_types(reference)), ("calibrated", [])]:
                html = out / f"streamflow-{profile}.html"
                files = ["--html", str(html), "--json", str(out / f"streamflow-{profile}.json")]
                ours = measure.best_of(given.times, [*drift, "--profile", profile, *flags, *files])
                sides.append((f"streamflow, profile {profile}", ours, html))
        rows = [
            [
                name, f"{one.seconds:.2f}", f"{one.cpu_seconds:.2f}", f"{one.peak_mib:.0f}",
                f"{html.stat().st_size / 1e6:.2f}", f"{peer.seconds / one.seconds:.0f}×",
            ]  # fmt: skip
            for name, one, html in sides
        ]
        print(measure.table(["report", "seconds", "CPU s", "peak RSS MiB", "HTML MB", "times as fast"], rows))
        for name, one, _ in sides:
            print(f"\n{name}: {one.output.strip().splitlines()[-1] if one.output.strip() else 'no output'}")


if __name__ == "__main__":
    main()
