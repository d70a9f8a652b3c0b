"""Time and peak memory of `streamflow monitor`, process to process: two ingested months in, reports and decision out.

    python3 bench/monitor.py [--times 3] [--rows N]

On the course months; with --rows also on two sample months of N users. The fastest of --times runs counts.
"""

import argparse
import tempfile
from pathlib import Path

import measure

MONTHS = ["2024-01-31", "2024-02-29"]


def monitored(binary: str, drops: list[Path], times: int) -> measure.Run:
    """Ingests two drops into a new data directory, then measures the flow alone."""
    with tempfile.TemporaryDirectory() as directory:
        measure.run([binary, "init", "."], cwd=directory)
        command = [binary, "--data-dir", str(Path(directory) / "data")]
        for as_of, drop in zip(MONTHS, drops):
            measure.run([*command, "ingest", "--as-of", as_of, str(drop)], cwd=directory)
        flow = [*command, "monitor", "--reference", MONTHS[0], "--current", MONTHS[1], "--report-dir", "reports"]
        return measure.best_of(times, flow, cwd=directory)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--course", help="directory with month_000 and month_001")
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--rows", type=int, help="also on sample months of this many users")
    options.add_argument("--times", type=int, default=3)
    given = options.parse_args()

    binary = measure.streamflow(given.streamflow)
    course = measure.course_dir(given.course)
    print(measure.machine())
    months = [("course months, 7,043 users", monitored(binary, [course / "month_000", course / "month_001"], given.times), "0.03 s")]
    if given.rows:
        with tempfile.TemporaryDirectory() as directory:
            measure.run([binary, "sample", "--out", directory, "--rows", str(given.rows), "--months", "2"], cwd=directory)
            drops = [Path(directory) / f"month_{as_of}" for as_of in MONTHS]
            months.append((f"sample months, {given.rows:,} users", monitored(binary, drops, given.times), ""))
    rows = [[name, f"{one.seconds:.3f}", f"{one.peak_mib:.0f}", target] for name, one, target in months]
    print(measure.table(["monitor", "seconds", "peak RSS MiB", "target"], rows))
    for name, one, _ in months:
        line = next((line for line in one.output.splitlines() if line.startswith("[drift]")), "no [drift] line")
        print(f"\n{name}: {line}")


if __name__ == "__main__":
    main()
