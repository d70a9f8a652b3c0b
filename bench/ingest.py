"""Time and peak memory of `streamflow ingest`: the course month and a sample month of a million users.

    python3 bench/ingest.py [--rows 1000000] [--times 3]

Every run starts a process with an empty data directory. The course month is run --times times, the fastest counts;
the sample month is written by `streamflow sample` with its default seed and ingested once.
"""

import argparse
import tempfile
from pathlib import Path

import measure


def ingested(binary: str, month: Path) -> measure.Run:
    with tempfile.TemporaryDirectory() as directory:
        measure.run([binary, "init", "."], cwd=directory)
        command = [binary, "--data-dir", str(Path(directory) / "data"), "ingest", "--as-of", "2024-01-31", str(month)]
        return measure.run(command, cwd=directory)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=3)
    given = options.parse_args()

    binary = measure.streamflow(given.streamflow)
    month = measure.course_dir(given.course) / "month_000"
    print(measure.machine())
    course = min((ingested(binary, month) for _ in range(given.times)), key=lambda one: one.seconds)
    with tempfile.TemporaryDirectory() as directory:
        flags = ["--rows", str(given.rows), "--months", "1", "--start", "2024-01-31"]
        written = measure.run([binary, "sample", "--out", directory, *flags], cwd=directory)
        drop = Path(directory) / "month_2024-01-31"
        size_mb = sum(file.stat().st_size for file in drop.iterdir()) / 1e6
        sample = ingested(binary, drop)
    rows = [
        ["course month, 7,043 users", f"{course.seconds:.2f}", f"{course.peak_mib:.0f}", "0.5 s"],
        [f"sample month, {given.rows:,} users, {size_mb:.0f} MB", f"{sample.seconds:.2f}", f"{sample.peak_mib:.0f}", "15 s, 1,024 MiB for a million"],
        ["(writing that sample)", f"{written.seconds:.2f}", f"{written.peak_mib:.0f}", ""],
    ]
    print(measure.table(["ingest", "seconds", "peak RSS MiB", "target"], rows))


if __name__ == "__main__":
    main()
