"""Runs a real Evidently and `streamflow drift --profile evidently` on the same tables and compares every column.

    python3 tools/interop/evidently.py [--course DIR] [--streamflow FILE]

The tables are the course's two months, table by table, and months that `streamflow sample` writes. Scores must agree
to nine digits; of text columns, whose score depends on a random split, only the verdict is compared. Ends with exit
code 1 when a column differs.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import measure  # noqa: E402

ENTITY = "user_id"
TOLERANCE = 1e-9


def columns(path: Path) -> dict[str, str]:
    """Declared type of each column but the entity: numerical when its first value is a number, else categorical."""
    with path.open() as file:
        rows = csv.DictReader(file)
        values: dict[str, str] = {}
        for row in rows:
            values.update({name: value for name, value in row.items() if value and name not in values})
            if len(values) == len(rows.fieldnames or []):
                break
    number = re.compile(r"-?[0-9.]+(e[+-]?[0-9]+)?$")
    return {name: "numerical" if number.match(value) else "categorical" for name, value in values.items() if name != ENTITY}


def scores(path: Path) -> dict[str, float | None]:
    """Score of each column in a report in Evidently's JSON."""
    found: dict[str, float | None] = {}
    for metric in json.loads(path.read_text())["metrics"]:
        name = re.match(r"ValueDrift\(column=([^,)]+)", metric.get("metric_name") or metric.get("metric_id") or "")
        if name:
            found.setdefault(name[1], metric["value"])
    return found


def compare(name: str, reference: Path, current: Path, python: str, binary: str) -> tuple[int, list[str]]:
    """How many columns agree, and what is wrong with the others."""
    peer = measure.BENCH / "peers" / "evidently_report.py"
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([python, str(peer), str(reference), str(current), directory], check=True, stdout=subprocess.DEVNULL)
        ours = Path(directory) / "ours.json"
        types = [flag for column, kind in columns(reference).items() for flag in ("--type", f"{column}={kind}")]
        command = [binary, "drift", str(reference), str(current), "--profile", "evidently", *types]
        subprocess.run([*command, "--evidently-json", str(ours)], check=True, stdout=subprocess.DEVNULL)
        theirs, mine = scores(Path(directory) / "evidently.json"), scores(ours)
    agree, differences = 0, []
    for column in sorted(theirs.keys() | mine.keys()):
        expected, found = theirs.get(column), mine.get(column)
        if column == ENTITY or expected == found:
            agree += 1
        elif expected is not None and found is not None and abs(expected - found) <= TOLERANCE * max(1.0, abs(expected)):
            agree += 1
        else:
            differences.append(f"{name} {column}: Evidently {expected}, streamflow {found}")
    return agree, differences


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    given = options.parse_args()
    binary, course = measure.streamflow(given.streamflow), measure.course_dir(given.course)
    python = measure.environment("evidently")
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([binary, "sample", "--out", directory, "--rows", "3000", "--months", "2"], check=True, stdout=subprocess.DEVNULL)
        sample = sorted(Path(directory).iterdir())
        pairs = [(f"course {file.stem}", file, course / "month_001" / file.name) for file in sorted((course / "month_000").glob("*.csv"))]
        pairs += [(f"sample {file.stem}", file, sample[1] / file.name) for file in sorted(sample[0].glob("*.csv"))]
        agree, differences = 0, []
        for pair in pairs:
            same, other = compare(*pair, python, binary)
            agree, differences = agree + same, differences + other
    print("\n".join(differences), file=sys.stderr, end="\n" if differences else "")
    print(f"Evidently 0.7.23: {len(pairs)} pairs of tables, {agree} columns agree, {len(differences)} differ")
    raise SystemExit(1 if differences else 0)


if __name__ == "__main__":
    main()
