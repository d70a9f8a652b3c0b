"""Churn models on the same split: XGBoost, LightGBM, scikit-learn and ours, five seeds each.

    pip install -r bench/requirements-model.txt
    python3 bench/model.py SHARED            the directory that holds data/course

The validation users of a seed are those whose first eight bytes of SHA-256("{seed}:{user}"), as a fraction of 2**64, are
below 0.25: the split of `streamflow_model::is_validation`. Peers have fixed settings chosen by hand with a view of these
very users; ours are chosen by cross-validation on the training users. Peers run on one thread.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = """months_active monthly_fee paperless_billing plan_stream_tv plan_stream_movies net_service watch_hours_30d
avg_session_mins_7d unique_devices_30d skips_7d rebuffer_events_7d failed_payments_90d support_tickets_90d
ticket_avg_resolution_hrs_90d""".split()
TABLES = ["subscriptions", "usage_agg_30d", "payments_agg_90d", "support_agg_90d", "labels"]
SEEDS = range(5)


def load(directory, label="churn_label"):
    table = None
    for name in TABLES:
        part = pd.read_csv(directory / f"{name}.csv")
        table = part if table is None else table.merge(part, on="user_id")
    x = table[FEATURES].copy()
    for flag in ["paperless_billing", "plan_stream_tv", "plan_stream_movies"]:
        x[flag] = x[flag].map({True: 1.0, False: 0.0, "True": 1.0, "False": 0.0}).astype(float)
    x["net_service"] = x["net_service"].astype("category")
    return table["user_id"], x, table[label].to_numpy()


def validation(users, seed):
    digests = (hashlib.sha256(f"{seed}:{user}".encode()).digest() for user in users)
    return np.array([int.from_bytes(digest[:8], "big") / 2**64 < 0.25 for digest in digests])


def peers(x):
    """(name, classifier of a seed, its features)"""
    codes = x.assign(net_service=x["net_service"].cat.codes.astype(float))
    flat = pd.get_dummies(x, columns=["net_service"]).assign(no_plan=x["plan_stream_tv"].isna())
    flat = flat.astype(float).fillna(0)
    boosted = dict(n_estimators=200, max_depth=2, learning_rate=0.05, min_child_weight=5, n_jobs=1)
    return [
        ("xgboost, depth 2, 200 trees", lambda s: xgboost.XGBClassifier(**boosted, enable_categorical=True), x),
        ("xgboost, defaults", lambda s: xgboost.XGBClassifier(enable_categorical=True, n_jobs=1), x),
        ("lightgbm, depth 2, 200 trees", lambda s: lightgbm.LGBMClassifier(**boosted, verbose=-1), x),
        (
            "HistGradientBoosting, 8 leaves, 150 trees",
            lambda s: HistGradientBoostingClassifier(
                max_iter=150, learning_rate=0.05, max_leaf_nodes=8, random_state=s
            ),
            codes,
        ),
        ("random forest, 300 trees", lambda s: RandomForestClassifier(300, random_state=s, n_jobs=1), codes.fillna(-1)),
        ("logistic regression", lambda s: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), flat),
    ]


def print_row(name, aucs, losses, briers, seconds):
    each = " ".join(f"{auc:.4f}" for auc in aucs)
    print(f"{name:42} {each}  {np.mean(aucs):.4f}  {np.mean(losses):.4f}  {np.mean(briers):.4f}  {np.mean(seconds):8.3f}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shared = Path(sys.argv[1]).resolve()
    users, x, y = load(shared / "data/course/month_000")
    y = y.astype(int)
    splits = [validation(users, seed) for seed in SEEDS]
    print(f"{'AUC by seed':42} {' '.join(f'{seed:6}' for seed in SEEDS)}    mean  logloss   Brier     fit s")
    for name, classifier, features in peers(x):
        aucs, losses, briers, seconds = [], [], [], []
        for seed, held_out in zip(SEEDS, splits):
            model = classifier(seed)
            start = time.perf_counter()
            model.fit(features[~held_out], y[~held_out])
            seconds.append(time.perf_counter() - start)
            p = model.predict_proba(features[held_out])[:, 1]
            aucs.append(roc_auc_score(y[held_out], p))
            losses.append(log_loss(y[held_out], p))
            briers.append(brier_score_loss(y[held_out], p))
        print_row(name, aucs, losses, briers, seconds)
    command = ["cargo", "run", "--release", "--quiet", "-p", "streamflow-model", "--example", "five_seeds"]
    environment = {**os.environ, "STREAMFLOW_SHARED": str(shared)}
    output = subprocess.run(command, check=True, capture_output=True, env=environment, cwd=Path(__file__).parents[1])
    runs = [json.loads(line) for line in output.stdout.splitlines()]
    metric = lambda name: [run["metrics"][name] for run in runs]
    print_row("streamflow, settings cross-validated", metric("auc"), metric("log_loss"), metric("brier_score"),
              [run["fit_s"] for run in runs])


if __name__ == "__main__":
    main()
