"""Tables that all tests share."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest


def months(shift: float) -> pd.DataFrame:
    """A table of 600 rows with a column of each kind, some of whose values are missing."""
    random = np.random.default_rng(7)
    rows = np.arange(600)
    hours = random.gamma(2.0, 3.0, len(rows)) + shift
    hours[::25] = np.nan
    return pd.DataFrame(
        {
            "hours": hours,
            "logins": rows * rows % 31,
            "active": rows % 3 == 0,
            "plan": pd.Series(["basic", "plus", None, "family"] * 150, dtype="object"),
            "since": [date(2024, 1, 1) + timedelta(days=int(row) % 90) for row in rows],
            "visits": pd.array([None if row % 40 == 0 else int(row) % 12 for row in rows], dtype="Int64"),
        }
    )


def categories_and_times(shift: float) -> pd.DataFrame:
    """The same with categories and times."""
    frame = months(shift)
    return frame.assign(plan=frame["plan"].astype("category"), since=pd.to_datetime(frame["since"]))


@pytest.fixture
def reference() -> pd.DataFrame:
    return months(0.0)


@pytest.fixture
def current() -> pd.DataFrame:
    return months(4.0)
