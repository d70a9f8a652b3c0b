"""Whatever Python calls a table, as the engine's."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import _native
from ._errors import Error, TableError

EXPECTED = (
    "expected a data frame of pandas or polars, a table of pyarrow, a DuckDB relation, anything else with "
    "__arrow_c_stream__, a dict of arrays or lists, a path or glob of files, or a profile"
)


def table(value: object, what: str) -> _native.Table:
    """Give the engine's view of a table; ``what`` names it in messages.

    Arrays are shared with the value wherever their type allows, so it must not change meanwhile.
    """
    if isinstance(value, str | os.PathLike):
        return _of_path(os.fspath(value))
    if isinstance(value, Mapping):
        return _of_columns(((name, value[name]) for name in value), what)
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return _of_pandas(value, what)
    if hasattr(value, "__arrow_c_stream__"):
        return _of_stream(value, what)
    raise TableError(f"{what} is of the type {_type_name(value)}; {EXPECTED}")


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _of_path(path: str | bytes) -> _native.Table:
    path = os.fsdecode(path)
    if "://" in path:
        raise TableError(
            f"{path} is a URL, and files are read here; download it, or run the command `streamflow-ml drift`, which "
            "reads s3://, gs:// and az://"
        )
    return _native.Table.of_path(path)


def _of_stream(value: Any, what: str) -> _native.Table:
    try:
        capsule = value.__arrow_c_stream__()
    except Error:
        raise
    except Exception as error:
        raise TableError(
            f"{what} ({_type_name(value)}) gives no Arrow stream: {error}; convert the column that it names, as to text, "
            "or drop it"
        ) from error
    return _native.Table.of_stream(capsule, what)


def _of_pandas(frame: Any, what: str) -> _native.Table:
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise TableError(f"{what} has the column {twice[0]!r} more than once; rename or drop one", twice[0])
    if hasattr(frame, "__arrow_c_stream__") and not _needs_columns(frame):
        try:
            return _of_stream(frame, what)
        except TableError as error:
            # Without pyarrow, or with a column that it refuses. Column by column the reason names it.
            cause: Exception = error
    else:
        cause = TableError("")
    columns = ((name, frame.iloc[:, place]) for place, name in enumerate(names))
    try:
        return _of_columns(columns, what)
    except Error as error:
        raise error from cause.__cause__


def _needs_columns(frame: Any) -> bool:
    """Tell whether pandas has an Arrow stream only with a library that is not there, or names that are no text."""
    from importlib.util import find_spec

    if any(not isinstance(name, str) for name in frame.columns):
        return True
    return "pyarrow" not in sys.modules and find_spec("pyarrow") is None


def _of_columns(columns: Iterable[tuple[Any, Any]], what: str) -> _native.Table:
    given = [_column(str(name), values, what) for name, values in columns]
    if not given:
        raise TableError(f"{what} has no columns, expected one at least")
    return _native.Table.of_columns(given, what)


def _column(name: str, values: Any, what: str) -> dict[str, Any]:
    """Give a column as the engine takes it: a buffer of numbers, or a list of objects."""

    def given(kind: str, values: Any, categories: Any = None) -> dict[str, Any]:
        return {"name": name, "kind": kind, "values": values, "categories": categories}

    def refused(reason: str) -> TableError:
        return TableError(f"{what}, column {name}: {reason}", name)

    if isinstance(values, list | tuple):
        return given("objects", values)
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
        kind = _type_name(values)
        raise refused(f"it is of the type {kind}; give an array or a list with a value for each row")
    categorical = getattr(values, "cat", None) if getattr(values, "dtype", None) == "category" else None
    if categorical is not None:
        codes, categories = categorical.codes.to_numpy(), categorical.categories
        return given("categories", codes.astype("int64"), categories.tolist())
    if not hasattr(values, "dtype") and hasattr(values, "to_pylist"):
        return given("objects", values.to_pylist())
    if not hasattr(values, "dtype") and not hasattr(values, "__array__"):
        return given("numbers", values) if _is_buffer(values) else given("objects", list(values))
    return _array(values, given, refused)


def _is_buffer(values: Any) -> bool:
    """Tell whether the values are numbers in one dimension that can be read where they are."""
    try:
        view = memoryview(values)
    except TypeError:
        return False
    return view.ndim == 1 and view.format in set("bBhHiIlLqQfd")


def _array(values: Any, given: Callable[[str, Any], dict[str, Any]], refused: Callable[[str], TableError]) -> dict[str, Any]:
    """Give an array of numpy, or what becomes one, by the kind of its numbers."""
    dtype = getattr(values, "dtype", None)
    # Types of pandas with a mask or of Arrow: values and what is missing lie apart.
    if hasattr(dtype, "na_value") and not hasattr(dtype, "byteorder") and hasattr(values, "isna"):
        values = values.astype(object)
    if hasattr(values, "mask") and hasattr(values, "filled"):
        return given("objects", values.tolist())
    try:
        array = values.to_numpy() if hasattr(values, "to_numpy") else values.__array__()
    except Exception as error:
        raise refused(f"it gives no array of numpy: {error}; give it as an array or a list") from error
    if array.ndim != 1:
        shape = array.shape
        raise refused(f"it has the shape {shape}, expected one dimension with a value for each row; flatten or split it")
    kind = array.dtype.kind
    if kind == "b":
        return given("booleans", array.view("uint8"))
    if kind == "M":
        return given("days", array.astype("datetime64[D]").astype("int64"))
    if kind in "iu":
        return given("numbers", array.astype(array.dtype.newbyteorder("="), copy=False))
    if kind == "f":
        return given(
            "numbers",
            array.astype("float64" if array.dtype.itemsize not in {4, 8} else f"f{array.dtype.itemsize}", copy=False),
        )
    if kind in "OUT":
        return given("objects", array.tolist())
    raise refused(
        f"its values are of the type {array.dtype}, which has no place in a flat table; convert it, as to float64 or to "
        "text, or drop it"
    )
