"""Evidently's report as one process: evidently_report.py REFERENCE.csv CURRENT.csv OUT_DIR

Three metrics, as the churn example's monitoring flow asks for them: the data summary, the drift of every column with
the drifted share, and the drift of the label. Columns that are neither text nor boolean are declared numerical and
the entity is left undeclared, as that flow does.
"""

import sys
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift
from evidently.presets import DataDriftPreset, DataSummaryPreset

ENTITY, LABEL = "user_id", "churn_label"


def main() -> None:
    reference, current = pd.read_csv(sys.argv[1]), pd.read_csv(sys.argv[2])
    features = [name for name in reference.columns if name != ENTITY]
    categorical = [name for name in features if reference[name].dtype in (object, bool)]
    definition = DataDefinition(
        numerical_columns=[name for name in features if name not in categorical], categorical_columns=categorical
    )
    metrics = [DataSummaryPreset(), DataDriftPreset(), *([ValueDrift(column=LABEL)] if LABEL in features else [])]
    result = Report(metrics=metrics).run(
        current_data=Dataset.from_pandas(current, data_definition=definition),
        reference_data=Dataset.from_pandas(reference, data_definition=definition),
    )
    result.save_html(str(Path(sys.argv[3]) / "evidently.html"))
    result.save_json(str(Path(sys.argv[3]) / "evidently.json"))
    for metric in result.dict()["metrics"]:
        if "DriftedColumnsCount" in (metric.get("metric_name") or metric.get("metric_id")):
            print(f"drifted {metric['value']['count']:.0f} share {metric['value']['share']:.4f}")


if __name__ == "__main__":
    main()
