"""Drift reports, profiles and histories."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

from . import _native as native
from ._errors import SettingsError, TableError
from ._frames import Library, frame
from ._tables import table

#: What a table may be; the module's documentation lists it.
TableLike = Any
#: A dict as JSON has it.
Json = dict[str, Any]

RuleSet = Literal["calibrated", "evidently"]
Untested = Literal["drifted", "ignored"]


class _Document:
    """What reports and histories are written as."""

    _native: native.Report | native.History

    def to_json(self) -> str:
        """Give the JSON as text, the bytes that the command line writes."""
        return self._native.to_json()

    def to_dict(self) -> Json:
        """Give the JSON as a dict."""
        found: Json = json.loads(self._native.to_json())
        return found

    def to_html(self) -> str:
        """Give a page that needs no other file and no network."""
        return self._native.to_html()

    def to_markdown(self) -> str:
        """Give the verdict and what drifted, as for a pull request."""
        return self._native.to_markdown()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file by the ending of its name: ``.html``, ``.json`` or ``.md``.

        It is written beside its place and then renamed, so that a half of it is never seen.

        Raises:
            SettingsError: another ending.
            OSError: what cannot be written.

        """
        writers = {".html": self.to_html, ".json": self.to_json, ".md": self.to_markdown}
        path = Path(path)
        writer = writers.get(path.suffix.lower())
        if writer is None:
            raise SettingsError(f"save({str(path)!r}): the ending {path.suffix!r} is unknown, expected .html, .json or .md")
        _write(path, writer())
        return path

    def _repr_html_(self) -> str:
        """Show the page in a notebook: in a frame of another origin, whose script sorts its table and sees nothing else."""
        page, title = escape(self.to_html(), quote=True), escape(repr(self), quote=True)
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{page}" title="{title}" '
            'style="width: 100%; height: 720px; border: 0; color-scheme: light dark"></iframe>'
        )


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class ColumnReport(Mapping[str, Any]):
    """What was found in one column: the keys of the JSON, which are attributes too.

    ``drifted``, ``status``, ``score``, ``p_value``, ``adjusted_p_value``, ``effect_size``, ``missing``, ``explanation``
    and others; docs/report-schema.json has them all. What there is none of is ``None``.
    """

    def __init__(self, found: Json) -> None:
        self._found = found

    def __getitem__(self, key: str) -> Any:
        return self._found[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_found"][name]
        except KeyError:
            raise AttributeError(f"a column of a report has no {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        verdict = "drifted" if self._found["drifted"] else "not drifted"
        return f"<column {self._found['name']}: {verdict}. {self._found['explanation']}>"


class Report(_Document):
    """What a comparison of two tables found. Notebooks show it as a page.

    The same tables and settings give the same report, byte for byte, whether they are in memory or in files.
    """

    def __init__(self, report: native.Report) -> None:
        self._native: native.Report = report
        self._columns: dict[str, Json] | None = None

    @property
    def drifted(self) -> list[str]:
        """Names of the columns that have drifted, in the order of the tables."""
        return self._native.drifted

    @property
    def drift_share(self) -> float:
        """Drifted columns / columns with a verdict, 0 to 1."""
        return self._native.drift_share

    @property
    def decision(self) -> str:
        """``NO_ACTION``, or ``RETRAINING_TRIGGERED`` where the share is at or over its threshold."""
        return self._native.decision

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in the order of the tables."""
        return list(self._by_name())

    def _by_name(self) -> dict[str, Json]:
        if self._columns is None:
            self._columns = {column["name"]: column for column in self.to_dict()["columns"]}
        return self._columns

    def __getitem__(self, column: str) -> ColumnReport:
        """Give what was found in a column.

        Raises:
            KeyError: the report has no such column; the message lists those it has.

        """
        found = self._by_name().get(column)
        if found is None:
            raise KeyError(f"the report has no column {column!r}; it has {', '.join(self._by_name())}")
        return ColumnReport(found)

    def __contains__(self, column: object) -> bool:
        return column in self._by_name()

    def __iter__(self) -> Iterator[ColumnReport]:
        return map(ColumnReport, self._by_name().values())

    def __len__(self) -> int:
        return len(self._by_name())

    def to_evidently(self) -> Json:
        """Give the dict that Evidently 0.7 has for its DataDriftPreset."""
        found: Json = json.loads(self._native.to_evidently())
        return found

    def to_frame(self, library: Library | None = None) -> Any:
        """Give a data frame with a row for each column.

        Args:
            library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``; by default the first of these that is installed.

        Raises:
            SettingsError: the library, or any of them, is not installed.

        """
        return frame(self.to_dict()["columns"], library)

    def __repr__(self) -> str:
        found = self.to_dict()
        judged = found["tested_columns"] + sum(column["counted"] for column in found["not_tested"])
        return f"<Report {self.decision}: {len(self.drifted)} of {judged} columns drifted>"


class History(_Document):
    """Several tables against one reference, side by side. Notebooks show it as a page."""

    def __init__(self, history: native.History) -> None:
        self._native: native.History = history

    @property
    def triggered(self) -> list[str]:
        """Names of the tables for which retraining is due."""
        return self._native.triggered

    def __repr__(self) -> str:
        months = len(self.to_dict()["months"])
        return f"<History of {months}: retraining due for {', '.join(self.triggered) or 'none'}>"


class Profile:
    """Counts of a table's values: small, exact up to 10,000 different values a column, and mergeable.

    ``left_out`` has the columns of the table that cannot be compared, each with the reason.
    """

    def __init__(self, profile: native.Profile, left_out: Mapping[str, str] | None = None) -> None:
        self._native = profile
        self.left_out = dict(left_out or {})

    @property
    def rows(self) -> int:
        """Number of rows of the table."""
        return self._native.rows

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of the table."""
        return self._native.columns

    def merge(self, other: "Profile") -> "Profile":
        """Give the profile of both tables' rows: the same whichever comes first.

        Raises:
            TableError: the tables differ in their columns; ``column`` is the first that does.

        """
        if not isinstance(other, Profile):
            raise TableError(f"merge: {type(other).__name__} is no profile; make one of the table with profile(table)")
        return Profile(self._native.merge(other._native), self.left_out | other.left_out)

    def to_json(self) -> str:
        """Give the JSON that the command line's ``profile`` writes."""
        return self._native.to_json()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the JSON to a file, for ``load_profile`` and for the command line."""
        path = Path(path)
        _write(path, self.to_json())
        return path

    def __repr__(self) -> str:
        return f"<Profile of {self.rows} rows, {len(self.columns)} columns>"


def profile(data: TableLike) -> Profile:
    """Count the values of a table.

    Args:
        data: a table, as for ``drift``.

    Raises:
        TableError: the table cannot be read.

    """
    if isinstance(data, Profile):
        return data
    counted, left_out = native.profile(table(data, "the table"))
    return Profile(counted, dict(left_out))


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read a profile that ``Profile.save`` or the command line has written.

    Raises:
        TableError: the file is no profile.
        OSError: the file cannot be read.

    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: it is not UTF-8, so it is no profile") from error
    return Profile(native.Profile.from_json(text, str(path)))


def drift(
    reference: TableLike,
    current: TableLike,
    *,
    profile: RuleSet = "calibrated",
    methods: Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    target: str | None = None,
    entity: str | Sequence[str] | None = None,
    threshold: float = 0.30,
    untested: Untested = "drifted",
    num_method: str | None = None,
    cat_method: str | None = None,
    names: tuple[str, str] | None = None,
) -> Report:
    """Compare a current table with a reference.

    Args:
        reference: what the model knows: a data frame, table or relation with the Arrow stream interface, a dict of
            one-dimensional arrays or lists of equal length, a path or glob of CSV, Parquet or Arrow files, or a
            ``Profile``. Missing are ``None``, NaN, NaT, ``pandas.NA`` and nulls.
        current: what is in question, given as any of these. Columns pair up by name.
        profile: ``"calibrated"`` (drifted is significant and large) or ``"evidently"`` (the verdicts of Evidently 0.7).
        methods: the method of a column, by its name; docs/statistics.md has the methods.
        types: the type of a column: ``"numerical"``, ``"categorical"``, ``"text"`` or ``"ignore"``.
        thresholds: the threshold of a column, over 0: of its effect size (calibrated) or its score (evidently).
        target: the label, whose change is reported besides.
        entity: the key of the rows, one column or several, which is no feature.
        threshold: share of drifted columns from which retraining is due, 0 to 1.
        untested: whether a column that can no longer be tested counts as ``"drifted"`` or is ``"ignored"``.
        num_method: the method of all numerical columns.
        cat_method: the method of all categorical columns.
        names: what the report calls both tables; by default the paths of files, else reference and current.

    Raises:
        TableError: a table cannot be read, or nothing of it can be compared.
        SettingsError: an argument says what cannot be; ``column`` is the column that it names.

    """
    labels = names or (_name(reference, "reference"), _name(current, "current"))
    arguments = _arguments(
        labels, profile, methods, types, thresholds, target, entity, threshold, untested, num_method, cat_method
    )
    return Report(native.compare(_side(reference, "the reference"), _side(current, "the current table"), arguments))


def history(
    reference: TableLike,
    currents: Mapping[str, TableLike] | Iterable[TableLike],
    *,
    profile: RuleSet = "calibrated",
    methods: Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    target: str | None = None,
    entity: str | Sequence[str] | None = None,
    threshold: float = 0.30,
    untested: Untested = "drifted",
    num_method: str | None = None,
    cat_method: str | None = None,
    name: str | None = None,
) -> History:
    """Compare each of several tables with a reference.

    Args:
        reference: as for ``drift``.
        currents: the tables, in a dict by their names (dates such as ``"2024-01-31"`` are read as months), or in a list;
            those of a list are called by their paths, or by their place.
        profile: this and the following are as for ``drift``.
        methods: as for ``drift``.
        types: as for ``drift``.
        thresholds: as for ``drift``.
        target: as for ``drift``.
        entity: as for ``drift``.
        threshold: as for ``drift``.
        untested: as for ``drift``.
        num_method: as for ``drift``.
        cat_method: as for ``drift``.
        name: what the report calls the reference.

    Raises:
        TableError: a table cannot be read or has nothing to compare, or two have one name.
        SettingsError: an argument says what cannot be.

    """
    if isinstance(currents, Mapping):
        pairs = [(str(label), data) for label, data in currents.items()]
    elif isinstance(currents, str | os.PathLike) or not isinstance(currents, Iterable):
        raise TableError("history: the second argument is one table; give a list of tables, or a dict by their names")
    else:
        pairs = [(_name(data, f"table {place}"), data) for place, data in enumerate(currents, 1)]
    if not pairs:
        raise TableError("history: there is no table to compare with the reference; give one at least")
    labels = (name or _name(reference, "reference"), "current")
    arguments = _arguments(
        labels, profile, methods, types, thresholds, target, entity, threshold, untested, num_method, cat_method
    )
    tables = [(label, _side(data, label)) for label, data in pairs]
    return History(native.history(_side(reference, "the reference"), tables, arguments))


def _side(data: TableLike, what: str) -> native.Table:
    return native.Table.of_profile(data._native, what) if isinstance(data, Profile) else table(data, what)


def _name(data: TableLike, otherwise: str) -> str:
    return os.fsdecode(data) if isinstance(data, str | os.PathLike) else otherwise


def _arguments(
    labels: tuple[str, str],
    profile: str,
    methods: Mapping[str, str] | None,
    types: Mapping[str, str] | None,
    thresholds: Mapping[str, float] | None,
    target: str | None,
    entity: str | Sequence[str] | None,
    threshold: float,
    untested: str,
    num_method: str | None,
    cat_method: str | None,
) -> Json:
    entity = [entity] if isinstance(entity, str) else list(entity or [])
    return {
        "profile": profile,
        "threshold": float(threshold),
        "untested": untested,
        "num_method": num_method,
        "cat_method": cat_method,
        "methods": dict(methods or {}),
        "types": dict(types or {}),
        "thresholds": dict(thresholds or {}),
        "entity": entity,
        "target": target,
        "reference_name": labels[0],
        "current_name": labels[1],
    }
