"""Scores scikit-learn's models, converted to ONNX, with onnxruntime itself and with `streamflow predict`.

    python3 tools/interop/scikit_learn.py [--python DIR] [--streamflow FILE]

The models have operators that `streamflow` leaves to onnxruntime, so it loads the library of the Python package. Ends with
exit code 1 where a probability, a value or a label differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RELATIVE = 1e-6


def models():
    """A name, a fitted estimator, its ONNX options and the rows it is asked for: a frame, or a matrix without names."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import StackingClassifier, VotingRegressor, RandomForestClassifier
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, PolynomialFeatures, StandardScaler
    from sklearn.svm import SVC

    random = np.random.default_rng(11)
    rows = pd.DataFrame(
        {"hours": random.normal(20, 9, 400), "fee": random.gamma(2, 15, 400), "plan": random.choice(["basic", "family", "premium"], 400)}
    ).astype({"hours": np.float32, "fee": np.float32})
    score = rows.hours * 0.05 - rows.fee * 0.02 + (rows.plan == "premium") + random.normal(size=400)
    churned, tier = score > 0.4, np.where(score > 1, "gold", np.where(score > 0, "silver", "bronze"))
    numbers = rows[["hours", "fee"]].to_numpy()
    prepared = ColumnTransformer([("numbers", StandardScaler(), ["hours", "fee"]), ("plan", OneHotEncoder(), ["plan"])])
    bins = KBinsDiscretizer(5, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    zipped, plain = {"zipmap": True}, {"zipmap": False}
    yield "pipeline with a network of ten units", make_pipeline(prepared, MLPClassifier(10, random_state=1, max_iter=500)).fit(rows, churned), plain, rows
    yield "the same with probabilities by name", make_pipeline(prepared, MLPClassifier(10, random_state=1, max_iter=500)).fit(rows, tier), zipped, rows
    yield "support vectors", make_pipeline(StandardScaler(), SVC(probability=True, random_state=1)).fit(numbers, churned), plain, numbers
    yield "nearest neighbours", KNeighborsClassifier(7).fit(numbers, tier), plain, numbers
    yield "naive Bayes", GaussianNB().fit(numbers, tier), plain, numbers
    yield "polynomials and bins", make_pipeline(
        ColumnTransformer([("powers", PolynomialFeatures(2), [0, 1]), ("bins", bins, [1])]),
        LogisticRegression(max_iter=5000),
    ).fit(numbers, churned), plain, numbers
    stack = StackingClassifier([("forest", RandomForestClassifier(20, random_state=1)), ("bayes", GaussianNB())])
    yield "a stack of two models", stack.fit(numbers, churned), plain, numbers
    yield "neighbours of a regression", KNeighborsRegressor(5).fit(numbers, score), None, numbers
    yield "a vote of two regressions", VotingRegressor([("a", LinearRegression()), ("b", KNeighborsRegressor(9))]).fit(numbers, score), None, numbers
    yield "a Gaussian process", GaussianProcessRegressor(random_state=1).fit(numbers[:60], score[:60]), None, numbers[:60]


def convert(estimator, options, rows) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {"float32": FloatTensorType([None, 1]), "object": StringTensorType([None, 1]), "str": StringTensorType([None, 1])}
    # A column each where there are texts, else one matrix.
    if hasattr(rows, "columns"):
        inputs = [(name, kinds[str(rows[name].dtype)]) for name in rows]
    else:
        inputs = [("X", FloatTensorType([None, rows.shape[1]]))]
    options = None if options is None else {id(estimator): options}
    return to_onnx(estimator, initial_types=inputs, options=options, target_opset=17).SerializeToString()


def expected(file: Path, rows) -> list:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    if names == ["X"]:
        feed = {"X": rows.astype(np.float32)}
    else:
        feed = {name: rows[[name]].to_numpy(object if name == "plan" else np.float32) for name in names}
    outputs = session.run(None, feed)
    if len(outputs) == 1:
        return [None, np.asarray(outputs[0]).ravel().tolist()]
    label, probability = outputs
    if isinstance(probability, list):
        probability = [[row[key] for key in sorted(row)] for row in probability]
    return [[str(value) for value in label], np.asarray(probability).tolist()]


def ours(streamflow: str, file: Path, rows, library: Path) -> list:
    import pandas as pd

    table = file.with_suffix(".csv")
    names = getattr(rows, "columns", [f"X[{place}]" for place in range(rows.shape[1])])
    pd.DataFrame(rows, columns=names).to_csv(table, index=False)
    command = [streamflow, "predict", table, "--model", file, "--out", "-", "--format", "json"]
    answer = subprocess.run(command, env={**os.environ, "ORT_DYLIB_PATH": str(library)}, capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{file.name}: {answer.stderr}")
    outputs = json.loads(answer.stdout)["outputs"]
    if "value" in outputs:
        return [None, outputs["value"]]
    return [[str(label) for label in outputs["label"]], outputs["probability"]]


def worst(left, right) -> float:
    import numpy as np

    left, right = np.array(left, float), np.array(right, float)
    if left.shape != right.shape:
        return float("inf")
    return float((np.abs(left - right) / np.maximum(np.abs(right), 1)).max())


def main() -> None:
    import onnxruntime

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "target/release/streamflow"))
    arguments = parser.parse_args()
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    count, failed = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, estimator, options, rows in models():
            file = Path(folder) / f"{count}.onnx"
            file.write_bytes(convert(estimator, options, rows))
            (labels, numbers), (our_labels, our_numbers) = expected(file, rows), ours(arguments.streamflow, file, rows, library)
            apart = worst(our_numbers, numbers)
            count += 1
            if labels != our_labels or apart > RELATIVE:
                failed += 1
                print(f"{name}: numbers differ by up to {apart}, labels {'agree' if labels == our_labels else 'differ'}")
        refused = subprocess.run(
            [arguments.streamflow, "predict", file.with_suffix(".csv"), "--model", file, "--out", "-", "--format", "json"],
            env={**os.environ, "ORT_DYLIB_PATH": "/nowhere/libonnxruntime.so"},
            capture_output=True,
            text=True,
        )
        if refused.returncode != 1 or "pip install onnxruntime" not in refused.stderr:
            failed += 1
            print(f"without the library: {refused.stderr}")
    print(f"onnxruntime {onnxruntime.__version__}: {count} models of scikit-learn through its library, {failed} differ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
