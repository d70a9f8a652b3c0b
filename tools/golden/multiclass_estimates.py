# /// script
# requires-python = ">=3.11"
# dependencies = ["nannyml==0.13.1", "statsmodels==0.15.0"]
# ///
"""Golden values of estimates: crates/performance/tests/golden/multiclass_estimates.json.

    python tools/golden/multiclass_estimates.py

Each case is what NannyML estimates of three classes without labels. It decides by random splits whether it calibrates a
class; the case states what the decision was, and the test fixes it.
"""

import json
import os
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import numpy as np
import pandas as pd
from nannyml.calibration import NoopCalibrator

OUT = Path(__file__).resolve().parents[2] / "crates/performance/tests/golden/multiclass_estimates.json"
CLASSES = ["basic", "plus", "premium"]
METRICS = ["roc_auc", "f1", "precision", "recall", "accuracy"]


def rows(rng, n, shift, sharpness):
    """Probabilities, and classes drawn from them; a sharpness other than 1 makes the stated ones wrong."""
    logits = rng.normal(size=(n, 3)) + np.array([0.6, 0.0, -0.4]) + shift * np.array([0.0, 1.0, -1.0])
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (rng.uniform(size=(n, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    stated = truth**sharpness
    stated = (stated / stated.sum(axis=1, keepdims=True)).round(6)
    return drawn, stated


def frame(drawn, stated):
    table = pd.DataFrame({f"p_{name}": stated[:, k] for k, name in enumerate(CLASSES)})
    table["predicted"] = [CLASSES[k] for k in stated.argmax(axis=1)]
    table["label"] = [CLASSES[k] for k in drawn]
    return table


def case(name, seed, sharpness):
    rng = np.random.default_rng(seed)
    reference, analysis = rows(rng, 1500, 0.0, sharpness), rows(rng, 400, 0.7, sharpness)
    estimator = nannyml.CBPE(
        y_pred_proba={name: f"p_{name}" for name in CLASSES},
        y_pred="predicted",
        y_true="label",
        metrics=METRICS,
        problem_type="classification_multiclass",
        chunk_number=1,
    )
    estimator.fit(frame(*reference))
    found = estimator.estimate(frame(*analysis).drop(columns="label")).filter(period="analysis").to_df()
    calibrated = [not isinstance(estimator._calibrators[k], NoopCalibrator) for k in CLASSES]
    return {
        "name": name,
        "calibrated": calibrated,
        "reference": {"actual": reference[0].tolist(), "p": reference[1].tolist()},
        "analysis": {"p": analysis[1].tolist()},
        "expected": {metric: float(found[(metric, "value")].iloc[0]) for metric in METRICS},
    }


def main():
    document = {
        "library": f"nannyml {nannyml.__version__}",
        "call": "CBPE(problem_type='classification_multiclass', chunk_number=1).fit(reference).estimate(analysis)",
        "cases": [case("right probabilities", 7, 1.0), case("too bold", 8, 2.0), case("too shy", 9, 0.4)],
    }
    OUT.write_text(json.dumps(document) + "\n")
    for one in document["cases"]:
        print(one["name"], one["calibrated"], one["expected"])


if __name__ == "__main__":
    main()
