"""In one process, on the same frames: `streamflow_ml` beside Evidently 0.7.23 and SciPy, and the memory of a comparison.

    pip install -r bench/requirements-evidently.txt target/wheels/*.whl
    python3 -P bench/python.py [--rows 1000000] [--memory-rows 10000000] [--times 3]

Tables of 15 columns (ten of numbers, three of categories, a truth value, a count) with a fixed seed. Both libraries get the
data frame in memory and give their dict; Evidently runs once, ours --times times, and the best is printed. The tests of SciPy
are on two samples of a million numbers. Memory is the peak of a process that holds both frames and compares them, as a
multiple of what it held before (Linux). `-P` keeps bench/evidently.py from taking the library's place.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

TESTS = ("ks_2samp", "mannwhitneyu", "cramervonmises_2samp", "ttest_ind", "wasserstein_distance", "energy_distance")
SAMPLE_ROWS = 1_000_000


def table(rows: int, seed: int) -> pd.DataFrame:
    """Fifteen columns."""
    random = np.random.default_rng(seed)
    columns = {f"number_{place}": random.normal(place, 1 + place / 10, rows) for place in range(10)}
    columns |= {f"label_{place}": random.choice([f"value {level}" for level in range(4 + place)], rows) for place in range(3)}
    return pd.DataFrame(columns | {"truth": random.random(rows) < 0.3, "count": random.poisson(4, rows)})


def best(times: int, work: Callable[[], object]) -> float:
    """The least of some runs, in seconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def drift(rows: int, times: int) -> None:
    """Compares two tables by both libraries."""
    import streamflow_ml as sf
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frames = table(rows, 1), table(rows, 2)
    ours = best(times, lambda: sf.drift(*frames).to_dict())
    same_rules = best(times, lambda: sf.drift(*frames, profile="evidently").to_dict())

    def theirs() -> object:
        labels = [name for name in frames[0] if name.startswith(("label", "truth"))]
        definition = DataDefinition(
            numerical_columns=[name for name in frames[0] if name not in labels], categorical_columns=labels
        )
        reference, current = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
        return Report([DataDriftPreset()]).run(current, reference).dict()

    peer = best(1, theirs)
    print(
        f"drift of {rows:,} x {frames[0].shape[1]}: ours {ours:.2f} s, with Evidently's rules {same_rules:.2f} s; Evidently "
        f"{peer:.2f} s, {peer / ours:.0f} and {peer / same_rules:.0f} times"
    )


def statistics(times: int) -> None:
    """Compares the tests one by one."""
    import scipy.stats
    import streamflow_ml as sf

    random = np.random.default_rng(5)
    samples = random.normal(0, 1, SAMPLE_ROWS), random.normal(0.01, 1, SAMPLE_ROWS)
    for name in TESTS:
        ours = best(times, lambda name=name: getattr(sf.stats, name)(*samples))
        peer = best(1, lambda name=name: getattr(scipy.stats, name)(*samples))
        print(f"{name}: ours {ours * 1000:.0f} ms, SciPy {peer * 1000:.0f} ms, {peer / ours:.1f} times")


def peak_bytes() -> int:
    """The most memory that this process has held since its peak was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def memory(rows: int) -> None:
    """Prints the peak of this process while it compares."""
    import streamflow_ml as sf

    frames = table(rows, 1), table(rows, 2)
    held = sum(int(frame.memory_usage(deep=True).sum()) for frame in frames)
    # Making the tables took more than they hold; 5 resets the peak.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_bytes()
    sf.drift(*frames)
    after = peak_bytes()
    print(
        f"memory of {rows:,} rows: frames {held / 1e9:.2f} GB, process {before / 1e9:.2f} GB, peak {after / 1e9:.2f} GB, "
        f"{after / before:.2f} times"
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-rows", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_memory:
        memory(arguments.memory_rows)
        return
    drift(arguments.rows, arguments.times)
    statistics(arguments.times)
    # In a process of its own, whose peak is that of nothing else.
    command = [sys.executable, "-P", str(Path(__file__)), "--only-memory", "--memory-rows", str(arguments.memory_rows)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
