"""Data drift: two tables compared, in a notebook, in a second.

    >>> import streamflow_ml as sf
    >>> report = sf.drift({"hours": [1.0, 2.0, 3.0] * 100}, {"hours": [4.0, 5.0, 6.0] * 100})
    >>> report.decision, report.drifted
    ('RETRAINING_TRIGGERED', ['hours'])

A table is whatever has the Arrow stream interface (polars, pyarrow, DuckDB relations, pandas), a dict of arrays or lists,
or a path or glob of files. What is wrong with one raises a subclass of ``Error``.
"""

from ._errors import Error, InternalError, SettingsError, StatisticsError, TableError

# As `typing` has it, whose import takes longer than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import stats
    from ._compare import ColumnReport, History, Profile, Report, drift, history, load_profile, profile

__version__: str

__all__ = [
    "ColumnReport",
    "Error",
    "History",
    "InternalError",
    "Profile",
    "Report",
    "SettingsError",
    "StatisticsError",
    "TableError",
    "drift",
    "history",
    "load_profile",
    "profile",
    "stats",
]


def __getattr__(name: str) -> object:
    """Import what is asked for the first time: the engine is loaded when it is used."""
    from importlib import import_module, metadata

    if name == "__version__":
        value: object = metadata.version("streamflow-ml")
    elif name == "stats":
        value = import_module(".stats", __name__)
    elif name in __all__:
        value = getattr(import_module("._compare", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
