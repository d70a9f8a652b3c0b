# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1", "numpy==2.4.6"]
# ///
"""Golden values of isotonic calibration: crates/performance/tests/golden/isotonic.json.

    python tools/golden/isotonic.py

Each case holds scores, labels, and what scikit-learn's IsotonicRegression says of scores inside, between and outside of
them. The tolerance is relative; 1e-12 because the means of pooled rows are summed in another order.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.isotonic import IsotonicRegression

OUT = Path(__file__).parents[2] / "crates/performance/tests/golden/isotonic.json"
ASKED = np.concatenate([[0.0, 1.0, 1e-9, 1 - 1e-9], np.linspace(0.003, 0.997, 61)])


def case(name, scores, labels):
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels, dtype=float)
    asked = np.concatenate([ASKED, scores[:20]])
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(asked)
    return {"name": name, "scores": scores.tolist(), "labels": labels.tolist(), "asked": asked.tolist(), "expected": expected.tolist()}


def main():
    rng = np.random.default_rng(20240229)
    uniform = rng.random(300)
    document = {
        "library": f"scikit-learn {sklearn.__version__}",
        "call": "IsotonicRegression(out_of_bounds='clip').fit(scores, labels).predict(asked)",
        "tolerance": 1e-12,
        "cases": [
            case("too bold", uniform, rng.random(300) < 0.3 + 0.4 * uniform),
            case("equal scores", np.round(uniform, 1), rng.random(300) < uniform**2),
            case("all pooled into one", [0.1, 0.2, 0.3, 0.4], [1, 1, 0, 0]),
            case("parted", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),
            case("one row", [0.5], [1]),
            case("rare", rng.beta(1, 30, 400), rng.random(400) < 0.03),
        ],
    }
    OUT.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
