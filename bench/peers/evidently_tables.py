"""Writes DIR/reference.csv and DIR/current.csv, the two tables that both tools compare.

    evidently_tables.py DIR COURSE_DIR        the six tables of month_000 and month_001, joined on user_id
    evidently_tables.py DIR ROWS              synthetic: ROWS users a side, fixed seed, no entity column

The synthetic tables have the course's 14 features and label and close to its marginal distributions; watch hours
and re-buffering move between the two, so that there is something to find. The entity column is left out because a
million distinct strings make Evidently fit a text classifier that runs for many minutes and says nothing.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

TABLES = ["users", "subscriptions", "usage_agg_30d", "support_agg_90d", "payments_agg_90d", "labels"]
COLUMNS = [
    "months_active", "monthly_fee", "watch_hours_30d", "avg_session_mins_7d", "unique_devices_30d", "skips_7d",
    "rebuffer_events_7d", "failed_payments_90d", "support_tickets_90d", "ticket_avg_resolution_hrs_90d",
    "paperless_billing", "plan_stream_tv", "plan_stream_movies", "net_service", "churn_label",
]  # fmt: skip


def joined(month: Path) -> pd.DataFrame:
    table = pd.read_csv(month / f"{TABLES[0]}.csv")
    for name in TABLES[1:]:
        table = table.merge(pd.read_csv(month / f"{name}.csv"), on="user_id", how="inner", validate="one_to_one")
    return table[COLUMNS + ["user_id"]]


def synthetic(rows: int, seed: int, watch_hours: float, rebuffer: float) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    service = random.choice(["Fiber optic", "DSL", "No"], rows, p=[0.44, 0.34, 0.22])

    def plan() -> np.ndarray:
        # Missing without internet service, as in the course's data.
        return np.where(service == "No", None, np.where(random.random(rows) < 0.5, "True", "False"))

    values = {
        "months_active": random.integers(0, 73, rows),
        "monthly_fee": np.round(random.uniform(18.25, 118.75, rows), 2),
        "watch_hours_30d": random.normal(watch_hours, 6.7, rows),
        "avg_session_mins_7d": np.full(rows, 29.14104464084511),
        "unique_devices_30d": random.integers(1, 4, rows),
        "skips_7d": random.poisson(5.0, rows),
        "rebuffer_events_7d": random.poisson(rebuffer, rows),
        "failed_payments_90d": random.binomial(3, 0.06, rows),
        "support_tickets_90d": random.binomial(4, 0.09, rows),
        "ticket_avg_resolution_hrs_90d": np.round(random.gamma(6.6, 1.5, rows), 1),
        "paperless_billing": random.random(rows) < 0.59,
        "plan_stream_tv": plan(),
        "plan_stream_movies": plan(),
        "net_service": service,
        "churn_label": random.random(rows) < 0.26,
    }
    return pd.DataFrame(values)[COLUMNS]


def main() -> None:
    out, source = Path(sys.argv[1]), sys.argv[2]
    if source.isdigit():
        sides = synthetic(int(source), 7, 29.6, 2.3), synthetic(int(source), 8, 29.0, 2.6)
    else:
        sides = joined(Path(source) / "month_000"), joined(Path(source) / "month_001")
    for name, side in zip(["reference", "current"], sides):
        side.to_csv(out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
