"""Golden results of expectations, counted by Great Expectations.

    python -m venv venv && venv/bin/pip install great_expectations==1.24.1 pandas==3.1.1
    venv/bin/python tools/golden/expectations.py > crates/dataset/tests/golden/expectations.json

The table is written as CSV and read by both sides. Compared are success, the counts, the percentages
and the indices of the unexpected rows.
"""

import io
import json
import sys

import great_expectations as gx
import pandas as pd

CSV = """user_id,hours,plan,visits,premium
u1,1.5,basic,1,True
u2,,basic,2,False
u2,3.0,gold,3,
u4,-0.5,,3,True
u5,100.0,Basic,4,False
u6,100.5,gold,0,True
u7,,silver,12,True
"""
EMPTY = "user_id,hours,plan,visits,premium\n"
TYPES = {"user_id": "str", "hours": "float64", "plan": "str", "visits": "int64", "premium": "boolean"}

SUITE = [
    {"expect": "expect_column_values_to_not_be_null", "column": "user_id"},
    {"expect": "expect_column_values_to_not_be_null", "column": "plan"},
    {"expect": "expect_column_values_to_not_be_null", "column": "plan", "mostly": 0.85},
    {"expect": "expect_column_values_to_not_be_null", "column": "plan", "mostly": 0.86},
    {"expect": "expect_column_values_to_be_unique", "column": "user_id"},
    {"expect": "expect_column_values_to_be_unique", "column": "plan"},
    {"expect": "expect_column_values_to_be_unique", "column": "hours"},
    {"expect": "expect_column_values_to_be_unique", "column": "visits", "mostly": 0.7},
    {"expect": "expect_column_values_to_be_between", "column": "hours", "min_value": 0, "max_value": 100},
    {"expect": "expect_column_values_to_be_between", "column": "hours", "min_value": 0, "mostly": 0.8},
    {"expect": "expect_column_values_to_be_between", "column": "hours", "min_value": -0.5, "strict_min": True},
    {"expect": "expect_column_values_to_be_between", "column": "hours", "max_value": 100.5, "strict_max": True},
    {"expect": "expect_column_values_to_be_between", "column": "visits", "min_value": 1, "max_value": 4},
    {"expect": "expect_column_values_to_be_in_set", "column": "plan", "value_set": ["basic", "gold"]},
    {"expect": "expect_column_values_to_be_in_set", "column": "plan", "value_set": ["basic", "gold"], "mostly": 0.6},
    {"expect": "expect_column_values_to_be_in_set", "column": "visits", "value_set": [1, 2, 3]},
    {"expect": "expect_column_values_to_be_in_set", "column": "premium", "value_set": [True]},
    {"expect": "expect_column_values_to_be_of_type", "column": "visits", "type_": "int64"},
    {"expect": "expect_column_values_to_be_of_type", "column": "visits", "type_": "float64"},
    {"expect": "expect_table_row_count_to_be_between", "min_value": 7, "max_value": 7},
    {"expect": "expect_table_row_count_to_be_between", "max_value": 6},
    {"expect": "expect_table_columns_to_match_set", "column_set": ["visits", "user_id", "hours", "plan", "premium"]},
    {"expect": "expect_table_columns_to_match_set", "column_set": ["user_id", "hours", "age"]},
    {"expect": "expect_table_columns_to_match_set", "column_set": ["user_id", "hours"], "exact_match": False},
]
KEYS = [
    "element_count", "missing_count", "missing_percent", "unexpected_count", "unexpected_percent",
    "unexpected_percent_total", "unexpected_percent_nonmissing", "partial_unexpected_index_list",
]
TABLE_RULES = ("expect_table_row_count_to_be_between", "expect_table_columns_to_match_set")


def evaluate(context, name, text):
    frame = pd.read_csv(io.StringIO(text), dtype=TYPES)
    batch = context.data_sources.add_pandas(name).add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    batch = batch.get_batch({"dataframe": frame})
    cases = []
    for config in SUITE:
        kwargs = {key: value for key, value in config.items() if key != "expect"}
        camel = "".join(word.capitalize() for word in config["expect"].split("_"))
        result = batch.validate(getattr(gx.expectations, camel)(**kwargs)).to_json_dict()
        assert not result["exception_info"].get("raised_exception"), result
        expected = {key: result["result"][key] for key in KEYS if key in result["result"]}
        if config["expect"] in TABLE_RULES:
            expected = {"observed_value": result["result"]["observed_value"]}
            if "details" in result["result"]:
                expected["details"] = result["result"]["details"]
        cases.append({"expectation": config, "success": result["success"], "result": expected})
    return {"csv": text, "cases": cases}


context = gx.get_context(mode="ephemeral")
golden = {
    "library": f"great_expectations {gx.__version__}, pandas {pd.__version__}",
    "call": "Batch.validate(expectation), result_format BASIC",
    "tables": [evaluate(context, "rows", CSV), evaluate(context, "empty", EMPTY)],
}
json.dump(golden, sys.stdout, indent=1)
print()
