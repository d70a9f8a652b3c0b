"""Trees on a million rows of 50 features: ours beside XGBoost's `hist`, the same number and depth of trees, two threads.

    pip install -r bench/requirements-scoring.txt
    cargo build --profile quick -p streamflow-model --example fit_trees
    python3 bench/training.py [--program target/quick/examples/fit_trees] [--rows 1000000] [--seeds 5]

Each seed makes another table: 40 normal features and 10 of few levels, of which a twentieth is missing, and a label that
depends on nine of them. None of them matters through another alone: which tree sees such a pair first is luck, and two
libraries with the same method then differ by 0.002 of AUC to either side. The time of ours is that from columns in memory to trees, and that of XGBoost likewise: its matrix
and its trees. Both are fitted in turn, so that what else runs on the machine hits both. AUC is that of 250,000 other rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import xgboost
from sklearn.metrics import roc_auc_score

PROJECT = Path(__file__).resolve().parent.parent
FEATURES, TREES, DEPTH, THREADS, OTHERS = 50, 100, 6, 2, 250_000


def table(seed: int, rows: int):
    """Values (32 bits) and labels."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, FEATURES), dtype=np.float32)
    x[:, 40:] = np.floor(x[:, 40:] * 3)
    x[random.random(x.shape, dtype=np.float32) < 0.05] = np.nan
    z = np.nan_to_num(x)
    score = z[:, 0] + 0.4 * (z[:, 1] + 1) * (z[:, 2] + 0.5) + np.sin(z[:, 3] * 2) + 0.1 * z[:, 41] * (z[:, 4] > 0) - 0.4 * np.abs(z[:, 5])
    score += 0.3 * np.isnan(x[:, 6]) + 0.2 * z[:, 7]
    return x, (random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.float32)


def ours(program: str, x, y, rows: int):
    """Seconds of the fit and the scores of the other rows."""
    with tempfile.TemporaryDirectory() as folder:
        np.ascontiguousarray(x.T).tofile(Path(folder) / "x.f32")
        y.tofile(Path(folder) / "y.f32")
        command = [program, folder, str(rows), str(FEATURES), str(DEPTH), str(TREES)]
        environment = {**os.environ, "RAYON_NUM_THREADS": str(THREADS)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return float(done.stdout), np.fromfile(Path(folder) / "scores.f64")


def peer(x, y, rows: int):
    """The same of XGBoost."""
    settings = dict(
        tree_method="hist", objective="binary:logistic", max_depth=DEPTH, eta=0.1, reg_lambda=1, min_child_weight=5, nthread=THREADS
    )
    started = time.perf_counter()
    booster = xgboost.train(settings, xgboost.DMatrix(x[:rows], y[:rows], nthread=THREADS), TREES)
    seconds = time.perf_counter() - started
    return seconds, booster.predict(xgboost.DMatrix(x[rows:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
    parser.add_argument("--program", default=str(target / "quick" / "examples" / "fit_trees"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.rows} rows of {FEATURES} features, {TREES} trees of depth {DEPTH}, {THREADS} threads, XGBoost {xgboost.__version__}")
    print("| seed | ours s | XGBoost s | ratio | our AUC | XGBoost's AUC | difference |\n|---|---|---|---|---|---|---|")
    found = []
    for seed in range(arguments.seeds):
        x, y = table(seed, arguments.rows + OTHERS)
        (our_seconds, our_scores), (seconds, scores) = ours(arguments.program, x, y, arguments.rows), peer(x, y, arguments.rows)
        truths = y[arguments.rows :]
        auc, our_auc = roc_auc_score(truths, scores), roc_auc_score(truths, our_scores)
        found.append((our_seconds, seconds, our_seconds / seconds, our_auc, auc, our_auc - auc))
        line(str(seed), found[-1])
    line("mean", np.mean(found, axis=0))


def line(name: str, numbers) -> None:
    """A row of the table."""
    our_seconds, seconds, ratio, our_auc, auc, difference = numbers
    print(f"| {name} | {our_seconds:.2f} | {seconds:.2f} | {ratio:.2f} | {our_auc:.5f} | {auc:.5f} | {difference:+.5f} |", flush=True)


if __name__ == "__main__":
    main()
