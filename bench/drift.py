"""The drift of tables that are large: `streamflow drift` of two folders of Parquet files, by processor time and peak memory.

    python3 bench/drift.py [--streamflow FILE] [--data DIR] [--long ROWS] [--wide ROWS]

`long` is 50,000,000 rows of 16 columns a side, twelve of them floats that never repeat, written in ten parts (10 GB);
`wide` is 200,000 rows of 1,000 columns a side (2.5 GB). 0 leaves one out. The tables are made where `--data` says and stay there
for another run; without it they go with the script. The rate is cells of both sides by the processor time of all threads, user and
system, which depends least on what else the machine does.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import measure

# What is to stay free on the disk.
SPARE_BYTES = 30e9
BYTES_A_CELL = 6.3


def made(folder: Path, rows: int, columns: int, parts: int) -> list[Path]:
    """The two sides in the folder; written where they are not there."""
    sides = [folder / "reference", folder / "current"]
    missing = [side for side in sides if not side.is_dir()]
    needed = len(missing) * rows * columns * BYTES_A_CELL
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free - needed < SPARE_BYTES:
        measure.stop_with(f"{folder} has {free / 1e9:.0f} GB free; {needed / 1e9:.0f} GB are written and 30 GB stay free: name another folder with --data")
    for side in missing:
        seed, shift = (1, "0") if side.name == "reference" else (2, "0.2")
        aside = side.with_name(f"{side.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        command = [measure.environment("drift"), str(measure.BENCH / "peers/large_table.py"), str(aside)]
        for name, value in {"rows": rows, "columns": columns, "parts": parts, "seed": seed, "shift": shift}.items():
            command += [f"--{name}", str(value)]
        subprocess.run(command, check=True)
        aside.rename(side)
    return sides


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--data", type=Path, help="where the tables are kept")
    options.add_argument("--long", type=int, default=50_000_000, help="rows of the long tables")
    options.add_argument("--wide", type=int, default=200_000, help="rows of the wide tables")
    given = options.parse_args()

    binary = measure.streamflow(given.streamflow)
    print(measure.machine(), flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        data = given.data or Path(directory)
        for name, length, columns, parts in (("long", given.long, 16, 10), ("wide", given.wide, 1000, 1)):
            if length:
                sides = made(data / f"{name}-{length}", length, columns, parts)
                done = measure.run([binary, "drift", *map(str, sides), "--json", str(Path(directory) / "report.json")])
                cells = 2 * length * columns
                rate = cells / done.cpu_seconds / 1e6
                rows.append([f"{length:,} × {columns:,} a side", f"{done.seconds:.1f}", f"{done.cpu_seconds:.1f}", f"{rate:.1f}", f"{done.peak_mib:,.0f}"])
    print(measure.table(["Parquet", "seconds", "CPU s", "million cells/s/core", "peak RSS MiB"], rows))


if __name__ == "__main__":
    main()
