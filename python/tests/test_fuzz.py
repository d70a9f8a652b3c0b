"""Any frame has a report or an exception of this module; the interpreter goes on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamflow_ml as sf

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=5),
    st.binary(max_size=3),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.decimals(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
    st.just(pd.NA),
    st.just(pd.NaT),
    st.just(np.float32("inf")),
)
COLUMNS = st.lists(VALUES, max_size=12)
DTYPES = st.sampled_from([None, "object", "category", "float32", "string", "Int64", "datetime64[ns]", "bool"])


def outcome(left, right):
    try:
        return sf.drift(left, right).decision
    except sf.InternalError:
        raise
    except sf.Error as error:
        assert str(error)
        return "refused"


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=3), COLUMNS, max_size=3))
def test_dicts_of_lists(columns):
    assert outcome(columns, columns) in {"NO_ACTION", "refused"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=2) | st.integers(0, 3), COLUMNS, DTYPES), max_size=3), st.booleans())
def test_frames_of_pandas(columns, turned):
    rows = max((len(values) for _, values, _ in columns), default=0)
    series = []
    for _, values, dtype in columns:
        column = pd.Series(values + [None] * (rows - len(values)), dtype="object")
        try:
            series.append(column.astype(dtype) if dtype else column)
        except Exception:
            series.append(column)
    frame = pd.concat(series, axis=1) if series else pd.DataFrame()
    frame.columns = pd.Index([name for name, _, _ in columns], dtype="object")
    frame = frame.iloc[::-2] if turned else frame
    assert outcome(frame, frame) in {"NO_ACTION", "refused"}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64), st.sampled_from(["?", "b", "<i2", ">i4", "<f2", "<f4", "<f8", "S2", "<M8[s]", "<m8[D]", "<c8"]))
def test_arrays_of_any_bytes(contents, dtype):
    size = np.dtype(dtype).itemsize
    values = np.frombuffer(contents[: len(contents) // size * size], dtype)
    if values.dtype.kind in "f":
        values = np.nan_to_num(values, posinf=1.0, neginf=-1.0)
    assert outcome({"a": values}, {"a": values[::-1]}) in {"NO_ACTION", "refused"}


def test_a_panic_would_be_an_exception_of_this_module():
    assert issubclass(sf.InternalError, sf.Error)
    with pytest.raises(sf.SettingsError):
        sf.drift({"a": [1.0]}, {"a": [1.0]}, profile="unknown")
