"""Reports as data frames of the library that is there."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from ._errors import SettingsError

Library = Literal["pandas", "polars", "pyarrow"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars", "pyarrow")
#: The keys of a column's report that are one value.
KEYS = (
    "name",
    "type",
    "status",
    "drifted",
    "method",
    "score",
    "threshold",
    "p_value",
    "adjusted_p_value",
    "explanation",
    "reason",
)


def frame(columns: list[dict[str, Any]], library: Library | None) -> Any:
    """Give a data frame with a row for each column of a report."""
    if library is not None and library not in LIBRARIES:
        raise SettingsError(f"to_frame: the library {library!r} is unknown, expected one of {', '.join(LIBRARIES)}")
    there = [name for name in LIBRARIES if find_spec(name) and library in {None, name}]
    if not there:
        wanted = library or "none of pandas, polars and pyarrow"
        remedy = f"pip install {library or 'pandas'}"
        raise SettingsError(f"to_frame: {wanted} is {'not ' if library else ''}installed; {remedy}, or use to_dict()")
    rows = {key: [column[key] for column in columns] for key in KEYS}
    effects = [column["effect_size"] or {} for column in columns]
    missing = [column["missing"] or {} for column in columns]
    rows["effect_size"] = [effect.get("value") for effect in effects]
    rows["effect_size_threshold"] = [effect.get("threshold") for effect in effects]
    rows["reference_missing_share"] = [side.get("reference_share") for side in missing]
    rows["current_missing_share"] = [side.get("current_share") for side in missing]
    module = import_module(there[0])
    return module.table(rows) if there[0] == "pyarrow" else module.DataFrame(rows)
