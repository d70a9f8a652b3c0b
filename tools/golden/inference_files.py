#!/usr/bin/env python3
"""Writes small model files of every format for tests and fuzzing: `inference_files.py`.

The answers in `crates/inference/tests/files.rs` follow from the numbers here by hand; no library is asked. The golden
values of the libraries themselves are elsewhere and are no part of the project.
"""

import json
import struct
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "crates/inference/tests/files"


def xgboost() -> dict:
    """hours < 10 goes left, to plan in {yearly}, else to the leaf 0.5; a second tree is one leaf."""
    tree = {
        "left_children": [1, 3, -1, -1, -1],
        "right_children": [2, 4, -1, -1, -1],
        "split_indices": [0, 1, 0, 0, 0],
        "split_conditions": [10.0, 1e-45, 0.5, 2.0, -2.0],
        "default_left": [1, 0, 0, 0, 0],
        "split_type": [0, 1, 0, 0, 0],
        "categories": [1],
        "categories_nodes": [1],
        "categories_segments": [0],
        "categories_sizes": [1],
        "tree_param": {"num_nodes": "5", "size_leaf_vector": "1"},
    }
    leaf = dict(tree, left_children=[-1], right_children=[-1], split_indices=[0], split_conditions=[0.25])
    leaf |= {"default_left": [0], "split_type": [0], "categories": [], "categories_nodes": []}
    leaf |= {"categories_segments": [], "categories_sizes": []}
    levels = {"offsets": [0, 7, 13], "values": list(b"monthlyyearly")}
    model = {
        "cats": {"enc": [{"offsets": [], "values": []}, levels]},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "2"},
        "iteration_indptr": [0, 1, 2],
        "tree_info": [0, 0],
        "trees": [tree, leaf],
    }
    return {
        "learner": {
            "attributes": {},
            "feature_names": ["hours", "plan"],
            "feature_types": ["float", "c"],
            "gradient_booster": {"model": model, "name": "gbtree"},
            "learner_model_param": {"base_score": "[5E-1]", "num_class": "0", "num_feature": "2", "num_target": "1"},
            "objective": {"name": "binary:logistic"},
        },
        "version": [3, 2, 0],
    }


# The types of arrays in UBJSON as XGBoost writes them.
TYPED = {
    "split_conditions": ("d", ">f"),
    "default_left": ("U", ">B"),
    "split_type": ("U", ">B"),
    "categories_segments": ("L", ">q"),
    "categories_sizes": ("L", ">q"),
    "values": ("i", ">b"),
}
for name in ("left_children", "right_children", "split_indices", "categories", "categories_nodes", "offsets"):
    TYPED[name] = ("l", ">i")


def ubjson(value: object, key: str = "") -> bytes:
    def text(content: str) -> bytes:
        return b"L" + struct.pack(">q", len(content.encode())) + content.encode()

    if isinstance(value, str):
        return b"S" + text(value)
    if isinstance(value, int):
        return b"i" + struct.pack(">b", value)
    if isinstance(value, dict):
        return b"{" + b"".join(text(name) + ubjson(item, name) for name, item in value.items()) + b"}"
    assert isinstance(value, list)
    count = struct.pack(">q", len(value))
    if key in TYPED:
        marker, form = TYPED[key]
        return b"[$" + marker.encode() + b"#L" + count + b"".join(struct.pack(form, item) for item in value)
    return b"[#L" + count + b"".join(ubjson(item) for item in value)


LIGHTGBM = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=hours plan
feature_infos=[0:50] 0:1

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
threshold=10 0
decision_type=10 1
left_child=1 -1
right_child=-3 -2
leaf_value=2 -2 0.5
cat_boundaries=0 1
cat_threshold=1
is_linear=0
shrinkage=1


end of trees

pandas_categorical:[["monthly", "yearly"]]
"""


def catboost() -> dict:
    feature = {"feature_id": "hours", "feature_index": 0, "flat_feature_index": 0, "has_nans": True}
    feature |= {"nan_value_treatment": "AsTrue", "borders": [10.0]}
    split = {"border": 10.0, "float_feature_index": 0, "split_index": 0, "split_type": "FloatFeature"}
    return {
        "features_info": {"float_features": [feature]},
        "model_info": {"params": {"loss_function": {"type": "RMSE", "params": {}}}},
        "oblivious_trees": [{"leaf_values": [1.5, -1.5], "leaf_weights": [1, 1], "splits": [split]}],
        "scale_and_bias": [2, [10]],
    }


def field(number: int, value: object) -> bytes:
    """A field of a protobuf message: an integer, a 32-bit number, a text, or a message."""

    def varint(rest: int) -> bytes:
        out = bytearray()
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        return bytes(out) + bytes([rest])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else bytes(value)
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(name: str, value: object) -> bytes:
    items = value if isinstance(value, list) else None
    if items is None:
        numbers = {int: 3, float: 2, str: 4}
        return field(5, field(1, name) + field(numbers[type(value)], value))
    numbers = {int: 8, float: 7, str: 9}
    return field(5, field(1, name) + b"".join(field(numbers[type(item)], item) for item in items))


def node(operator: str, inputs: list[str], outputs: list[str], domain: str, **attributes: object) -> bytes:
    names = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    given = b"".join(attribute(name, value) for name, value in attributes.items())
    return field(1, names + field(4, operator) + given + field(7, domain))


def value_info(name: str, element: int, sizes: list[int | None]) -> bytes:
    shape = b"".join(field(1, field(2, "N") if size is None else field(1, size)) for size in sizes)
    return field(1, name) + field(2, field(1, field(1, element) + field(2, shape)))


def onnx() -> bytes:
    """Two columns are scaled, and a tree asks whether the first is at most 10."""
    scaled = node("Scaler", ["X"], ["scaled"], "ai.onnx.ml", offset=[0.0, 1.0], scale=[2.0, 1.0])
    trees = node(
        "TreeEnsembleClassifier",
        ["scaled"],
        ["label", "probabilities"],
        "ai.onnx.ml",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[20.0, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0],
        class_nodeids=[1, 2],
        class_ids=[0, 0],
        class_weights=[0.75, 0.125],
        classlabels_strings=["stays", "leaves"],
        post_transform="NONE",
    )
    graph = scaled + trees + field(2, "graph") + field(11, value_info("X", 1, [None, 2]))
    graph += field(12, value_info("label", 8, [None])) + field(12, value_info("probabilities", 1, [None, 2]))
    opsets = field(8, field(1, "") + field(2, 17)) + field(8, field(1, "ai.onnx.ml") + field(2, 3))
    return field(1, 8) + field(7, graph) + opsets


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = {
        "xgboost.json": json.dumps(xgboost()).encode(),
        "xgboost.ubj": ubjson(xgboost()),
        "lightgbm.txt": LIGHTGBM.encode(),
        "catboost.json": json.dumps(catboost()).encode(),
        "classifier.onnx": onnx(),
    }
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
