"""Models of XGBoost, LightGBM and onnxruntime: their own prediction beside ours, in one run.

    pip install -r bench/requirements-models.txt
    cargo build --release -p streamflow-inference --example batch
    python3 bench/models.py [--rows 1000000] [--binary target/release/examples/batch]

Prints a table. Each library scores numbers that are in memory already, on all processors; so do we. The answers are
compared before the times are.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import xgboost
from onnxmltools.convert import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

FEATURES, TREES, DEPTH, ROUNDS = 14, 500, 6, 3


def best(rounds: int, work) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    table = random.normal(size=(rows, FEATURES)).astype(np.float32)
    table[random.random(table.shape) < 0.05] = np.nan
    score = np.nan_to_num(table[:, 0]) * np.nan_to_num(table[:, 1]) + np.nan_to_num(table[:, 2]) + random.normal(size=rows)
    return table, score > 0


def of_xgboost(folder: Path, table: np.ndarray, labels: np.ndarray):
    model = xgboost.train(
        {"objective": "binary:logistic", "max_depth": DEPTH, "tree_method": "hist", "eta": 0.05},
        xgboost.DMatrix(table[:100_000], labels[:100_000]),
        TREES,
    )
    file = folder / "xgboost.ubj"
    model.save_model(file)
    row = table[:1]
    return file, model, model.inplace_predict(table[:100]), lambda: model.inplace_predict(table), lambda: model.inplace_predict(row)


def of_lightgbm(folder: Path, table: np.ndarray, labels: np.ndarray):
    parameters = {"objective": "binary", "num_leaves": 2**DEPTH, "max_depth": DEPTH, "learning_rate": 0.05, "verbose": -1}
    model = lightgbm.train(parameters, lightgbm.Dataset(table[:100_000], labels[:100_000]), TREES)
    file = folder / "lightgbm.txt"
    model.save_model(file)
    row = table[:1]
    return file, model, model.predict(table[:100]), lambda: model.predict(table), lambda: model.predict(row)


def of_onnxruntime(folder: Path, table: np.ndarray, booster: xgboost.Booster):
    file = folder / "xgboost.onnx"
    graph = convert_xgboost(booster, initial_types=[("input", FloatTensorType([None, FEATURES]))], target_opset=15)
    file.write_bytes(graph.SerializeToString())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    run = lambda rows: session.run(["probabilities"], {"input": rows})[0][:, 1]
    row = table[:1]
    return file, session, run(table[:100]), lambda: run(table), lambda: run(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--binary", default="target/release/examples/batch")
    arguments = parser.parse_args()
    table, labels = data(arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        numbers = folder / "table.f64"
        table.astype("<f8").tofile(numbers)
        peers = {"XGBoost": of_xgboost(folder, table, labels), "LightGBM": of_lightgbm(folder, table, labels)}
        peers["onnxruntime"] = of_onnxruntime(folder, table, peers["XGBoost"][1])
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.2f}, {arguments.rows:,} rows × {FEATURES}")
        print("\n| | theirs, s | ours, s | ratio | their row, µs | our row, µs | ratio | ours reads the file, s |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|")
        for name, (file, _, expected, all_rows, one_row) in peers.items():
            theirs, their_row = best(ROUNDS, all_rows), best(1000, one_row)
            ours = json.loads(subprocess.check_output([arguments.binary, file, numbers, str(ROUNDS)]))
            worst = np.abs(np.array(ours["first"]) - expected).max()
            assert worst < 1e-6, f"{name}: answers differ by {worst}"
            print(
                f"| {name} | {theirs:.2f} | {ours['table']:.2f} | {theirs / ours['table']:.2f} "
                f"| {their_row * 1e6:.0f} | {ours['row'] * 1e6:.1f} | {their_row / ours['row']:.0f} | {ours['read']:.3f} |"
            )


if __name__ == "__main__":
    main()
