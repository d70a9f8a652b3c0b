"""What each setting of `[model]` does to the course's month: means of five seeds, each on its own held-out users.

    python3 bench/training_settings.py PROGRAM SHARED

PROGRAM is the example `five_seeds` of crates/model, SHARED the directory that holds data/course.
"""

import json
import os
import subprocess
import sys

SETTINGS = {
    "defaults": {},
    "balanced": {"class_weight": "balanced"},
    "balanced, calibrated": {"class_weight": "balanced", "calibration": "sigmoid"},
    "calibrated": {"calibration": "sigmoid"},
    "monotone in months_active": {"monotone": {"months_active": "decreasing"}},
    "search of 24 trials": {"search": {"trials": 24}},
}


def main() -> None:
    program, shared = sys.argv[1:]
    print("| | AUC | log loss | calibration error | F1 | fit s |\n|---|---|---|---|---|---|")
    for name, settings in SETTINGS.items():
        environment = {**os.environ, "STREAMFLOW_SHARED": shared}
        done = subprocess.run([program, json.dumps(settings)], check=True, capture_output=True, text=True, env=environment)
        runs = [json.loads(line) for line in done.stdout.splitlines()]
        mean = {key: sum({**run, **run['metrics']}[key] for run in runs) / len(runs) for key in ("auc", "log_loss", "expected_calibration_error", "f1", "fit_s")}
        print(
            f"| {name} | {mean['auc']:.4f} | {mean['log_loss']:.4f} | {mean['expected_calibration_error']:.4f} |"
            f" {mean['f1']:.3f} | {mean['fit_s']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
