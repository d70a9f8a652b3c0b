"""Runs the printed queries on a real Apache Spark, and holds its answers against counting row by row.

    python3 tools/interop/spark.py --streamflow FILE

Needs pyspark with the Java that it runs on, and pyarrow. A table of floats of any 64 bits, whole numbers, strings, truth
values and dates is written as Parquet; Spark answers the queries that `streamflow drift --print-sql=spark` prints for it,
with its ANSI rules and without. Ends with exit code 1 when a count differs.
"""

import argparse
import collections
import datetime
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pyspark
from pyspark.sql import SparkSession

ROWS = 40_000
# What a 64-bit float loses when twelve mantissa bits are left of it.
MASK = ~((1 << 40) - 1)
MOST_FINITE = sys.float_info.max


def numbers(draw: random.Random) -> list[float | None]:
    found = [None, 0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, -1e-300, MOST_FINITE, -MOST_FINITE]
    for exponent in (-900, -40, -1, 0, 1, 3, 10, 52, 53, 900):
        power = 2.0**exponent
        found += [power, math.nextafter(power, 0), math.nextafter(power, math.inf), -power]
    while len(found) < ROWS:
        found.append(struct.unpack("<d", struct.pack("<Q", draw.getrandbits(64)))[0])
        found.append(draw.gauss(100, 15))
    return found


def key(value: object) -> object:
    """What a row is counted under: one NaN, and one zero."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def rounded(value: float | int | None) -> object:
    if value is None:
        return None
    value = float(value)
    if 1e-290 <= abs(value) <= MOST_FINITE:
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        value = struct.unpack("<d", struct.pack("<Q", bits & MASK))[0]
    return key(value)


def check(what: str, found: dict, expected: dict) -> None:
    if found != expected:
        differs = [(k, found.get(k), expected.get(k)) for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)]
        sys.exit(f"{what}: {len(differs)} values differ, such as {differs[:3]}")


def compare(spark: SparkSession, table: dict, columns: dict[str, list], limit: int) -> int:
    """Holds the answers to the queries of a table against its rows; how many counts there were."""
    counts = 0
    for column in table["columns"]:
        name, values = column["column"], columns[column["column"]]
        is_number = "histogram" in column
        queries = [("counts", key)] + ([("histogram", rounded)] if is_number else [])
        for query, of in queries:
            found: collections.Counter = collections.Counter()
            answer = spark.sql(column[query]).collect()
            for row in answer:
                found[key(row["x"])] += row["n"]
            expected = collections.Counter(map(of, values))
            if query == "counts" and len(expected) > limit:
                check(f"the rows of counts of {name}", {"rows": len(answer)}, {"rows": limit})
                continue
            check(f"{query} of {name}", found, expected)
            counts += len(found)
        if "by_label" in column:
            found = {(row["label"], key(row["x"])): row["n"] for row in spark.sql(column["by_label"]).collect()}
            of = rounded if is_number else key
            expected = collections.Counter((label, of(value)) for label, value in zip(columns["truth"], values))
            if name != "number":  # Its two zeros are two rows of the answer.
                check(f"{name} by label", found, expected)
                counts += len(found)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    streamflow = str(Path(parser.parse_args().streamflow).resolve())
    draw = random.Random(5)
    columns = {"number": numbers(draw)}
    rows = len(columns["number"])
    columns["whole `quoted`"] = [draw.choice([None, 1, 2, 3, 2**62 + 1, -5]) for _ in range(rows)]
    columns["word"] = [draw.choice([None, "", "a", "it's", "ä"]) for _ in range(rows)]
    columns["truth"] = [draw.choice([None, True, False]) for _ in range(rows)]
    columns["day"] = [datetime.date(2024, 1, 1) + datetime.timedelta(days=draw.randrange(40)) for _ in range(rows)]
    counts = 0
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "table.parquet")
        arrays = {"number": pyarrow.array(columns["number"], pyarrow.float64(), from_pandas=False)}
        pyarrow.parquet.write_table(pyarrow.table(columns | arrays), file)
        words = [streamflow, "drift", file, file, "--print-sql=spark", "--target", "truth", "--format", "json"]
        queries = json.loads(subprocess.run(words, check=True, capture_output=True, text=True, cwd=folder).stdout)
        spark = SparkSession.builder.master("local[2]").appName("streamflow").config("spark.ui.enabled", "false")
        spark = spark.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        for name in ("reference", "current"):
            spark.read.parquet(file).createOrReplaceTempView(name)
        for ansi in ("true", "false"):
            spark.conf.set("spark.sql.ansi.enabled", ansi)
            for table in queries["tables"]:
                totals = spark.sql(table["totals"]).collect()[0]
                check("rows", {"rows": totals["row_count"]}, {"rows": rows})
                counts += compare(spark, table, columns, 10_006)
        spark.stop()
    print(f"Apache Spark {pyspark.__version__}: {counts} counts of the printed queries, with ANSI rules and without, 0 differ")


if __name__ == "__main__":
    main()
