"""For tests of data: an assertion that nothing has drifted.

With pytest, the fixture ``assert_no_drift`` is this function, and ``--drift-reports DIR`` keeps the page of each test that
fails.
"""

from collections.abc import Collection
from typing import Any

from ._compare import Report, TableLike, drift
from ._errors import SettingsError

__all__ = ["DriftError", "assert_no_drift"]


class DriftError(AssertionError):
    """Columns have drifted; ``report`` has all of it."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


def assert_no_drift(reference: TableLike, current: TableLike, *, allowed: Collection[str] = (), **arguments: Any) -> Report:
    """Compare two tables, as ``drift`` does with the same arguments, and fail where a column has drifted.

    Args:
        reference: as for ``drift``.
        current: as for ``drift``.
        allowed: columns that may drift.
        arguments: what else ``drift`` takes.

    Raises:
        DriftError: a column has drifted that may not; the message says how.
        SettingsError: ``allowed`` names a column of neither table, or as ``drift``.
        TableError: as ``drift``.

    """
    __tracebackhide__ = True
    allowed = {allowed} if isinstance(allowed, str) else set(allowed)
    report = drift(reference, current, **arguments)
    unknown = sorted(allowed - set(report.columns))
    if unknown:
        names = ", ".join(report.columns)
        raise SettingsError(f"allowed names {unknown[0]!r}, which is a column of neither table; they have {names}", unknown[0])
    drifted = [report[name] for name in report.drifted if name not in allowed]
    if drifted:
        lines = "\n".join(f"  {column.name}: {column.explanation}" for column in drifted)
        raise DriftError(f"{len(drifted)} of {len(report)} columns drifted:\n{lines}", report)
    return report
