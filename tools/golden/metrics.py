# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1", "numpy==2.4.6"]
# ///
"""Golden values of one function per metric: crates/performance/tests/golden/metrics.json.

    python tools/golden/metrics.py

Each case holds labels, probabilities and a threshold, and what scikit-learn says of them. The
tolerance is relative; 1e-12 because all metrics are closed forms, summed in another order.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, roc_auc_score

OUT = Path(__file__).parents[2] / "crates/performance/tests/golden/metrics.json"
BINS = 10


def expected_calibration_error(y, p):
    """calibration_curve gives the bins' means; their counts come from the same edges."""
    true, predicted = calibration_curve(y, p, n_bins=BINS, strategy="quantile")
    edges = np.percentile(p, np.linspace(0, 1, BINS + 1) * 100)
    counts = np.bincount(np.searchsorted(edges[1:-1], p), minlength=BINS)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.abs(true - predicted)) / len(p))


def case(name, y, p, threshold):
    y, p = np.asarray(y, dtype=bool), np.asarray(p, dtype=float)
    both = y.any() and not y.all()
    f1 = lambda t: f1_score(y, p >= t, zero_division=0)
    return {
        "name": name,
        "labels": y.tolist(),
        "probabilities": p.tolist(),
        "threshold": threshold,
        "expected": {
            "roc_auc_score": float(roc_auc_score(y, p)) if both else None,
            "f1_score": float(f1(threshold)),
            "accuracy_score": float(accuracy_score(y, p >= threshold)),
            "log_loss": float(log_loss(y, p, labels=[False, True])),
            "brier_score_loss": float(brier_score_loss(y, p)) if both else float(np.mean((p - y) ** 2)),
            "expected_calibration_error": expected_calibration_error(y, p),
            "best_f1": float(max(f1(t) for t in np.unique(p))) if y.any() else None,
        },
        "tolerance": 1e-12,
    }


def main():
    rng = np.random.default_rng(20240131)
    uniform = rng.random(200)
    ties = np.round(rng.beta(2, 5, 300), 1)
    rare = rng.beta(1, 30, 250)
    cases = [
        case("two rows", [False, True], [0.2, 0.7], 0.5),
        case("three rows, one tie", [False, True, True], [0.4, 0.4, 0.9], 0.4),
        case("calibrated", rng.random(200) < uniform, uniform, 0.5),
        case("many ties", rng.random(300) < ties, ties, 0.3),
        case("all tied", [True, False, True, False, False], [0.4] * 5, 0.5),
        case("separable", [False] * 20 + [True] * 15, np.linspace(0.01, 0.99, 35), 0.57),
        case("reversed", [True] * 20 + [False] * 15, np.linspace(0.01, 0.99, 35), 0.5),
        case("certain and wrong", [True, False, True, False], [0.0, 1.0, 1.0, 0.0], 0.5),
        case("rare positives", rng.random(250) < rare, rare, 0.2),
        case("positives only", [True] * 12, np.linspace(0.1, 0.9, 12), 0.5),
        case("negatives only", [False] * 12, np.linspace(0.1, 0.9, 12), 0.5),
    ]
    document = {
        "library": "scikit-learn",
        "version": sklearn.__version__,
        "numpy": np.__version__,
        "call": "tools/golden/metrics.py",
        "cases": cases,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
