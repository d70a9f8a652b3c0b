"""Writes one side of a large comparison as a folder of Parquet files, a part after another.

    large_table.py OUT --rows N --columns N --parts N --seed N [--shift F]

Of 16 columns twelve are floats that never repeat, two are whole numbers (a hundred and ten thousand different ones), one
is text of eight levels and one is true or false; further columns follow in the same order. `--shift` moves the first
float of each sixteen by so many standard deviations.
"""

import argparse
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet

FLOATS = 12
GROUP_ROWS = 1_000_000
LEVELS = pyarrow.array([f"plan_{number}" for number in range(8)])


def column(place: int, rows: int, random: numpy.random.Generator, shift: float) -> pyarrow.Array:
    kind = place % 16
    if kind < FLOATS:
        values = random.standard_normal(rows)
        if kind % 3 == 1:
            numpy.exp(values, out=values)
        elif kind == 0:
            values += shift
        return pyarrow.array(values)
    if kind < 14:
        return pyarrow.array(random.integers(0, 100 if kind == 12 else 10_000, rows))
    codes = random.integers(0, 8, rows, dtype=numpy.int32)
    return pyarrow.DictionaryArray.from_arrays(codes, LEVELS).dictionary_decode() if kind == 14 else pyarrow.array(codes < 3)


def write(path: Path, rows: int, columns: int, random: numpy.random.Generator, shift: float) -> None:
    names = [f"c{place:04}" for place in range(columns)]
    counted = [name for place, name in enumerate(names) if place % 16 >= FLOATS]
    writer = None
    for start in range(0, rows, GROUP_ROWS):
        length = min(GROUP_ROWS, rows - start)
        arrays = [column(place, length, random, shift) for place in range(columns)]
        table = pyarrow.table(arrays, names=names)
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema, use_dictionary=counted)
        writer.write_table(table, row_group_size=GROUP_ROWS)
    writer.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    for name in ("rows", "columns", "parts", "seed"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--shift", type=float, default=0.0)
    given = options.parse_args()
    given.out.mkdir(parents=True)
    random = numpy.random.Generator(numpy.random.SFC64(given.seed))
    shares = [given.rows * (part + 1) // given.parts - given.rows * part // given.parts for part in range(given.parts)]
    for part, rows in enumerate(shares):
        write(given.out / f"part-{part:03}.parquet", rows, given.columns, random, given.shift)


if __name__ == "__main__":
    main()
