"""However a table is given, its report has the same bytes; what is no table is an error with the column and the remedy."""

import array
import datetime
import decimal
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from conftest import categories_and_times

import streamflow_ml as sf
from streamflow_ml import _tables

NAMES = ("then", "now")


def to_arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def to_parquet(frame, path):
    pa.parquet.write_table(to_arrow(frame), path / f"{id(frame)}.parquet")
    return path / f"{id(frame)}.parquet"


def to_feather(frame, path):
    pa.feather.write_feather(to_arrow(frame), path / f"{id(frame)}.arrow")
    return str(path / f"{id(frame)}.arrow")


def to_parts(frame, path):
    folder = path / str(id(frame))
    folder.mkdir()
    table = to_arrow(frame)
    pa.parquet.write_table(table.slice(0, 77), folder / "part-0.parquet")
    pa.parquet.write_table(table.slice(77), folder / "part-1.parquet")
    return f"{folder}/*.parquet"


def to_lists(frame, _path):
    return {name: to_arrow(frame)[name].to_pylist() for name in frame}


def to_arrays(frame, _path):
    """Arrays of numpy where there is one that holds the column, and columns of pandas."""
    return {name: frame[name] if frame[name].dtype == "Int64" else frame[name].to_numpy() for name in frame}


def to_duckdb(frame, _path):
    return duckdb.connect().from_arrow(to_arrow(frame))


GIVEN = {
    "pandas": lambda frame, _path: frame,
    "pandas with another index": lambda frame, _path: frame.set_index(pd.RangeIndex(1000, 1600)),
    "pandas on Arrow": lambda frame, _path: frame.convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda frame, _path: pl.from_arrow(to_arrow(frame)),
    "polars in chunks": lambda frame, _path: pl.concat(
        [pl.from_arrow(to_arrow(frame)[:250]), pl.from_arrow(to_arrow(frame)[250:])], rechunk=False
    ),
    "pyarrow": lambda frame, _path: to_arrow(frame),
    "duckdb": to_duckdb,
    "lists": to_lists,
    "arrays": to_arrays,
    "Parquet": to_parquet,
    "Arrow": to_feather,
    "a glob": to_parts,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_the_same_table_gives_the_same_bytes(kind, reference, current, tmp_path):
    expected = sf.drift(reference, current, names=NAMES)
    assert expected.drifted == ["hours"]
    given = [GIVEN[kind](frame, tmp_path) for frame in (reference, current)]
    report = sf.drift(*given, names=NAMES)
    assert report.to_json() == expected.to_json()
    assert report.to_html() == expected.to_html()


def test_pandas_without_pyarrow_is_read_column_by_column():
    script = (
        "import sys\nsys.modules['pyarrow'] = None\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from conftest import categories_and_times\nimport streamflow_ml as sf\n"
        f"report = sf.drift(categories_and_times(0.0), categories_and_times(4.0), names={NAMES})\n"
        "sys.stdout.write(report.to_json())\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    frames = categories_and_times(0.0), categories_and_times(4.0)
    assert run.stdout == sf.drift(*frames, names=NAMES).to_json()


def test_an_index_with_names_is_left_out_as_in_files(reference, current):
    named = [frame.set_index(pd.Index([f"user {row}" for row in range(600)], name="user")) for frame in (reference, current)]
    report = sf.drift(*named)
    assert "user" not in [column.name for column in report if column.status == "tested"]
    assert report.drifted == ["hours"]


def test_arrays_of_every_type_of_numbers():
    rows = np.arange(300)
    given = {name: rows.astype(name) for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64")}
    given |= {name: (rows / 8).astype(name) for name in ("float16", "float32", "float64", "longdouble")}
    given |= {"big endian": rows.astype(">i4"), "array": array.array("d", rows), "strided": np.repeat(rows, 2)[::2]}
    given |= {"reversed": rows[::-1], "masked": np.ma.masked_less(rows, 20), "texts": (rows % 5).astype(str)}
    given |= {"days": rows.astype("datetime64[D]"), "times": rows.astype("datetime64[h]"), "range": range(300)}
    report = sf.drift(given, given)
    assert report.columns == list(given)
    kinds = {column["name"]: column["kind"] for column in json.loads(sf.profile(given).to_json())["columns"]}
    floats = dict.fromkeys(("float16", "float32", "float64", "longdouble", "array", "masked"), "float")
    assert kinds == dict.fromkeys(given, "integer") | floats | {"texts": "text", "days": "date", "times": "date"}
    assert report["masked"].missing["reference_share"] == 20 / 300
    assert report["strided"].reference == report["int32"].reference == report["reversed"].reference


def test_numbers_are_counted_where_they_are():
    numbers = array.array("d", range(400))
    table = _tables.table({"numbers": numbers}, "the table")
    with pytest.raises(BufferError):
        numbers.append(400.0)  # An array that is lent may not move.
    del table
    numbers.append(400.0)
    locked = np.arange(400.0)
    locked.flags.writeable = False
    assert sf.drift({"numbers": locked}, {"numbers": locked}).drifted == []


BAD = {
    "mixed": ({"a": [1, "x"]}, "row 1 is one of texts among numbers", "a"),
    "mixed pandas": (pd.DataFrame({"a": pd.Series([1, "x"], dtype="object")}), "row 1 is one of texts among numbers", "a"),
    "duplicate": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' more than once", "a"),
    "nested list": ({"a": [[1], [2]]}, "row 0 is of the type list", "a"),
    "0-d": ({"a": np.array(1.0)}, "the shape (), expected one dimension", "a"),
    "2-d": ({"a": np.zeros((2, 2))}, "expected one dimension", "a"),
    "unequal": ({"b": [1], "a": [1, 2]}, "it has 2 rows, expected 1", "a"),
    "complex": ({"a": np.array([1j])}, "complex128", "a"),
    "bytes": ({"a": [b"x"]}, "row 0 is of the type bytes", "a"),
    "text": ({"a": "text"}, "it is of the type str", "a"),
    "no columns": ({}, "no columns", None),
    "a number": (7, "is of the type int; expected a data frame", None),
    "a missing file": ("nothing/here.parquet", "nothing/here.parquet", None),
    "a URL": ("s3://lake/usage", "streamflow-ml drift", None),
    "no rows": ({"a": np.array([])}, "has no rows", None),
    "all nested": (pa.table({"a": [[1], [2]]}), "", None),
    "duplicate Arrow": (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "more than once", "a"),
    "a chunked array": (pa.chunked_array([[1, 2]]), "Arrow stream", None),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_table_is_said(kind):
    table, message, column = BAD[kind]
    with pytest.raises(sf.TableError) as raised:
        sf.drift(table, table)
    assert message in str(raised.value)
    assert raised.value.column == column
    assert isinstance(raised.value, sf.Error) and isinstance(raised.value, ValueError)


def test_objects_of_every_kind():
    midnight = datetime.datetime(2024, 2, 1, 3, tzinfo=datetime.UTC)
    given = {
        "decimals": [decimal.Decimal("1.5"), decimal.Decimal("2.5"), None],
        "dates": [datetime.date(2024, 1, 1), midnight, pd.NaT],
        "numbers": [1, 2.5, float("nan")],
        "large": [2**70, 1, None],
        "scalars": [np.float32(1.5), np.int8(2), pd.NA],
        "truth": [True, np.True_, None],
        "surrogates": ["\ud800", "x", None],
    }
    profile = sf.profile(given)
    assert profile.columns == list(given) and profile.rows == 3 and profile.left_out == {}
    kinds = {column["name"]: column["kind"] for column in json.loads(profile.to_json())["columns"]}
    assert kinds == {
        "decimals": "float",
        "dates": "date",
        "numbers": "float",
        "large": "float",
        "scalars": "float",
        "truth": "boolean",
        "surrogates": "text",
    }
    assert {column["missing"] for column in json.loads(profile.to_json())["columns"]} == {1}


def test_a_nested_column_is_left_out_with_the_reason():
    table = pa.table({"a": [[1], [2]] * 50, "b": list(range(100))})
    report = sf.drift(table, table)
    assert report["a"].status != "tested" and "list" in report["a"].reason
    assert sf.profile(table).left_out == {"a": "the type list is not compared"}


def test_a_million_categories():
    texts = pl.DataFrame({"id": pl.int_range(1_000_000, eager=True).cast(pl.String), "x": pl.zeros(1_000_000, eager=True)})
    report = sf.drift(texts, texts.with_columns(pl.col("id").cast(pl.Categorical)))
    assert report.drifted == [] and report.to_dict()["current"]["rows"] == 1_000_000
