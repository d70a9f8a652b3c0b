#!/usr/bin/env python3
"""Writes what libraries say each feature adds to a margin: `contributions.py`.

Small models of XGBoost, LightGBM and CatBoost are trained on rows from a fixed seed, and asked for their own
contributions (`pred_contribs`, `pred_contrib`, `ShapValues`). Trees in the form of this project are explained by the
package `shap`. Needs xgboost 3.2, lightgbm 4.7, catboost 1.2 and shap 0.51; the versions used are written into each file.
"""

import json
import platform
import tempfile
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import shap
import xgboost

FOLDER = Path(__file__).resolve().parent.parent.parent / "crates/inference/tests/contributions"
ROWS = 12


def table(seed: int, rows: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers with missing values, one without, one of few values, and a text; and a number that they explain."""
    rng = np.random.default_rng(seed)
    hours = rng.gamma(2.0, 10.0, rows).round(2)
    fee = rng.normal(50, 12, rows).round(2)
    age = rng.integers(0, 6, rows).astype(float)
    months = rng.exponential(20, rows).round(1)
    plan = rng.choice(["monthly", "yearly", "trial", "family"], rows)
    truth = 0.03 * hours - 0.05 * fee + np.where(plan == "trial", 2.0, 0.0) + 0.4 * age - 0.02 * months * (age > 2)
    hours[rng.random(rows) < 0.15] = np.nan
    months[rng.random(rows) < 0.1] = np.nan
    frame = pd.DataFrame({"hours": hours, "fee": fee, "age": age, "months": months})
    frame["plan"] = pd.Categorical(plan, categories=["family", "monthly", "trial", "yearly"])
    return frame, truth + rng.normal(0, 1, rows)


def cells(frame: pd.DataFrame) -> list:
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.astype(object).values.tolist()]


def write(name: str, call: str, text: str, frame: pd.DataFrame, values: np.ndarray, suffix: str, tolerance: float) -> None:
    """`values`: rows, outputs, features and one more number, the base."""
    values = np.asarray(values, dtype=float)
    if values.ndim == 2:
        values = values[:, None, :]
    assert len(values) == len(frame)
    versions = {module.__name__: module.__version__ for module in (xgboost, lightgbm, catboost, shap, np)}
    case = {
        "call": call,
        "versions": versions | {"python": platform.python_version()},
        "model": f"{name}.{suffix}",
        "tolerance": tolerance,
        "rows": cells(frame),
        "base": values[0, :, -1].tolist(),
        "contributions": values[:, :, :-1].tolist(),
    }
    (FOLDER / f"{name}.{suffix}").write_text(text)
    (FOLDER / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


def saved(save) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        save(str(path))
        return path.read_text()


def of_xgboost(name: str, label: np.ndarray, frame: pd.DataFrame, trees: int = 6, **parameters: object) -> None:
    data = xgboost.DMatrix(frame, label, enable_categorical=True)
    parameters = {"max_depth": 4, "eta": 0.4, "seed": 1, "nthread": 1} | parameters
    model = xgboost.train(parameters, data, trees)
    few = frame.head(ROWS)
    values = model.predict(xgboost.DMatrix(few, enable_categorical=True), pred_contribs=True)
    call = f"Booster.predict(pred_contribs=True) of {parameters}"
    write(f"xgboost_{name}", call, saved(model.save_model), few, values, "model", 2e-5)


def of_lightgbm(name: str, label: np.ndarray, frame: pd.DataFrame, trees: int = 6, **parameters: object) -> None:
    parameters = {"num_leaves": 12, "learning_rate": 0.3, "verbosity": -1, "seed": 1, "num_threads": 1} | parameters
    parameters |= {"min_data_in_leaf": 5, "cat_smooth": 1, "min_data_per_group": 5}
    model = lightgbm.train(parameters, lightgbm.Dataset(frame, label), trees)
    few = frame.head(ROWS)
    values = np.asarray(model.predict(few, pred_contrib=True)).reshape(len(few), -1, frame.shape[1] + 1)
    call = f"Booster.predict(pred_contrib=True) of {parameters}"
    write(f"lightgbm_{name}", call, model.model_to_string(), few, values, "model", 1e-9)


def of_catboost(name: str, label: np.ndarray, frame: pd.DataFrame, trees: int = 6, **parameters: object) -> None:
    frame = frame.drop(columns="plan")
    parameters = {"depth": 4, "iterations": trees, "random_seed": 1, "thread_count": 1} | parameters
    model = catboost.CatBoost(parameters | {"verbose": False, "allow_writing_files": False})
    model.fit(catboost.Pool(frame, label))
    few = frame.head(ROWS)
    values = model.get_feature_importance(catboost.Pool(few), type="ShapValues")
    call = f"get_feature_importance(type='ShapValues') of {parameters}"
    text = saved(lambda path: model.save_model(path, format="json"))
    write(f"catboost_{name}", call, text, few, values, "model", 1e-6)


def of_shap() -> None:
    """Trees of our own form; a present value goes left below the threshold, so the threshold of `shap` is one less."""
    rng = np.random.default_rng(7)
    frame, _ = table(7, 300)
    rows = frame.drop(columns="plan").to_numpy(float)
    base, ours, theirs = 0.25, [], []
    for _ in range(8):
        nodes, left, right, default, features, thresholds, values, counts = [None], [-1], [-1], [-1], [-2], [-2.0], [0.0], [0]
        where = {0: np.arange(len(rows))}
        open_nodes = [0]
        while open_nodes and len(left) < 25:
            at = open_nodes.pop(0)
            feature = int(rng.integers(0, 4))
            column = rows[where[at], feature]
            threshold = float(rng.choice(column[~np.isnan(column)])) if (~np.isnan(column)).any() else 1.0
            missing_left = bool(rng.random() < 0.5)
            goes_left = np.where(np.isnan(column), missing_left, column < threshold)
            if goes_left.all() or not goes_left.any():
                continue
            first = len(left)
            left[at], right[at], features[at], thresholds[at] = first, first + 1, feature, threshold
            default[at] = first if missing_left else first + 1
            for child, taken in ((first, goes_left), (first + 1, ~goes_left)):
                where[child] = where[at][taken]
                for numbers, number in ((left, -1), (right, -1), (default, -1), (features, -2), (thresholds, -2.0)):
                    numbers.append(number)
                values.append(0.0)
                counts.append(0)
                open_nodes.append(child)
        for node in range(len(left)):
            counts[node] = len(where[node])
            if left[node] < 0:
                values[node] = round(float(rng.normal(0, 1)), 3)
        tree = {
            "children_left": np.array(left), "children_right": np.array(right), "children_default": np.array(default),
            "features": np.array(features), "thresholds": np.nextafter(np.array(thresholds), -np.inf),
            "values": np.array(values)[:, None], "node_sample_weight": np.array(counts, dtype=float),
        }
        theirs.append(tree)
        keys = {"left": left, "feature": features, "threshold": thresholds, "value": values, "rows": counts}
        ours.append(keys | {"missing_left": [d == l for d, l in zip(default, left)]})
    # The package compares in 64 bits when it is told so.
    model = {"trees": theirs, "base_offset": base, "input_dtype": np.float64, "internal_dtype": np.float64}
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    few = rows[:40]
    values = explainer.shap_values(few, check_additivity=False)
    case = {
        "call": "shap.TreeExplainer(…, feature_perturbation='tree_path_dependent').shap_values",
        "versions": {"shap": shap.__version__, "numpy": np.__version__},
        "tolerance": 1e-9,
        "base": base,
        "expected_value": float(np.ravel(explainer.expected_value)[0]),
        "trees": ours,
        "rows": [[None if np.isnan(cell) else cell for cell in row] for row in few.tolist()],
        "contributions": np.asarray(values).reshape(len(few), -1).tolist(),
    }
    (FOLDER / "shap_trees.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    frame, truth = table(1)
    positive = (truth > np.median(truth)).astype(int)
    classes = np.digitize(truth, np.quantile(truth, [0.3, 0.7]))
    of_xgboost("binary", positive, frame, objective="binary:logistic")
    of_xgboost("classes", classes, frame, objective="multi:softprob", num_class=3, trees=3)
    of_xgboost("dart", truth, frame, objective="reg:squarederror", booster="dart", rate_drop=0.3)
    of_xgboost("deep", truth, frame.drop(columns="plan"), objective="reg:squarederror", max_depth=12, trees=2)
    of_lightgbm("binary", positive, frame, objective="binary")
    of_lightgbm("classes", classes, frame, objective="multiclass", num_class=3, trees=3)
    of_lightgbm("forest", truth, frame, boosting="rf", bagging_freq=1, bagging_fraction=0.7)
    of_lightgbm("deep", truth, frame, objective="regression", num_leaves=60, trees=2)
    of_catboost("binary", positive, frame, loss_function="Logloss")
    of_catboost("classes", classes, frame, loss_function="MultiClass", trees=3)
    of_catboost("number", truth, frame, loss_function="RMSE", depth=6, trees=3)
    of_shap()


if __name__ == "__main__":
    main()
