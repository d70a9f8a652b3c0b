"""Three classes and a number on the same split: LightGBM, scikit-learn and ours, five seeds each.

    pip install -r bench/requirements-model.txt
    python3 bench/tasks.py BINARY            target/quick/streamflow or another build

The months are those of `streamflow sample --task`. The validation users of a seed are those of
`streamflow_model::is_validation`. Peers have fixed settings chosen by hand with a view of these very users, and the
defaults; ours are chosen by cross-validation on the training users.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model import SEEDS, load, validation

MONTH = "2024-01-31"
LABELS = {"multiclass": "next_plan", "regression": "spend_next_30d"}


def ours(binary, task, folder):
    """Yields the metrics of each seed."""

    def run(*arguments):
        done = subprocess.run([binary, *arguments], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout

    run("init", ".", "--task", task)
    run("sample", "--out", "drops", "--months", "1", "--task", task)
    run("ingest", "--as-of", MONTH, f"drops/month_{MONTH}")
    for seed in SEEDS:
        trained = run("train", "--as-of", MONTH, "--seed", str(seed), "--format", "json")
        yield json.loads(trained)["metrics"]


def peers(task, x):
    """(name, a model that is not fitted, its features)"""
    flat = pd.get_dummies(x, columns=["net_service"]).assign(no_plan=x["plan_stream_tv"].isna())
    flat = flat.astype(float).fillna(0)
    chosen = dict(n_estimators=200, max_depth=3, learning_rate=0.05, min_child_weight=5, n_jobs=1, verbose=-1)
    default = dict(n_jobs=1, verbose=-1)
    if task == "multiclass":
        return [
            ("LightGBM softmax, depth 3, 200 trees", lightgbm.LGBMClassifier(**chosen), x),
            ("LightGBM one versus rest, the same", lightgbm.LGBMClassifier(objective="multiclassova", **chosen), x),
            ("LightGBM, defaults", lightgbm.LGBMClassifier(**default), x),
            ("HistGradientBoosting, defaults", HistGradientBoostingClassifier(categorical_features="from_dtype"), x),
            ("logistic regression", make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), flat),
        ]
    return [
        ("LightGBM, depth 3, 200 trees", lightgbm.LGBMRegressor(**chosen), x),
        ("LightGBM, defaults", lightgbm.LGBMRegressor(**default), x),
        ("HistGradientBoosting, defaults", HistGradientBoostingRegressor(categorical_features="from_dtype"), x),
        ("ridge regression", make_pipeline(StandardScaler(), Ridge()), flat),
    ]


def measure(task, model, x, y, held_out):
    model.fit(x[~held_out], y[~held_out])
    if task == "regression":
        predicted = model.predict(x[held_out])
        return root_mean_squared_error(y[held_out], predicted), mean_absolute_error(y[held_out], predicted)
    probabilities = model.predict_proba(x[held_out])
    # One versus rest of LightGBM does not sum to 1.
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    classes = model.classes_[probabilities.argmax(axis=1)]
    return log_loss(y[held_out], probabilities, labels=model.classes_), accuracy_score(y[held_out], classes)


def print_row(name, pairs):
    each = " ".join(f"{first:.4f}" for first, _ in pairs)
    first, second = np.mean(pairs, axis=0)
    print(f"{name:40} {each}  {first:.4f}  {second:.4f}", flush=True)


def main():
    binary = Path(sys.argv[1]).resolve()
    for task, names in {"multiclass": ("log_loss", "accuracy"), "regression": ("rmse", "mae")}.items():
        with tempfile.TemporaryDirectory() as folder:
            own = list(ours(binary, task, folder))
            users, x, y = load(Path(folder) / "drops" / f"month_{MONTH}", LABELS[task])
        print(f"\n{task}: {names[0]} of seeds 0 to 4, its mean, mean {names[1]}")
        print_row("ours", [tuple(metrics[name] for name in names) for metrics in own])
        for name, model, features in peers(task, x):
            print_row(name, [measure(task, model, features, y, validation(users, seed)) for seed in SEEDS])


if __name__ == "__main__":
    main()
