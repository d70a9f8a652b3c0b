#!/usr/bin/env python3
"""Writes what fuzz targets start from, taken from the files of our own tests: `fuzz_seeds.py CORPUS`."""

import gzip
import hashlib
import io
import json
import re
import struct
import sys
import tarfile
import tomllib
from pathlib import Path
from urllib.parse import quote_plus

ROOT = Path(__file__).resolve().parent.parent
CRATES = ROOT / "crates"
# Targets that read a file as it is: the files, and a byte that the target takes for the table they are of.
FILES = {
    "exposition": [("exposition/tests/golden/*.txt", b""), ("streamflow/tests/golden/*.txt", b"")],
    "catboost_json": [("inference/tests/files/catboost.json", b"")],
    "lightgbm_text": [("inference/tests/files/lightgbm.txt", b"")],
    "onnx_model": [("inference/tests/files/classifier.onnx", b"")],
    "xgboost_json": [("inference/tests/files/xgboost.json", b"")],
    "xgboost_ubj": [("inference/tests/files/xgboost.ubj", b"")],
    "openmetrics": [("exposition/tests/golden/*.txt", b""), ("streamflow/tests/golden/*.txt", b"")],
    "parquet_table": [("dataset/tests/fixtures/**/*.parquet", b"")],
    "prometheus_yml": [("streamflow/templates/prometheus.yml", b"")],
    "rule_file": [("prometheus/src/rules/scenarios/*.rules.yml", b""), ("streamflow/templates/rules.yml", b"")],
    "snapshot_drop": [
        ("dataset/tests/fixtures/**/users/*/*.parquet", b"\0"),
        ("dataset/tests/fixtures/**/usage/*/*.parquet", b"\1"),
        ("dataset/tests/fixtures/**/labels/*/*.parquet", b"\2"),
    ],
    "snapshot_ledger": [("dataset/tests/fixtures/**/as_of=????-??-??.json", b"")],
    "streamflow_toml": [("streamflow/templates/streamflow.toml", b"")],
    "protobuf_scrape": [
        ("exposition/tests/golden/*.pb", b"\1\1\1"),
        ("prometheus/src/scrape/ingest/*.pb", b"\1\1\1"),
    ],
    "tsdb_index": [("tsdb/tests/golden/*/**/index", b"")],
    "tsdb_aggregates": [("tsdb/tests/golden_aggregates/aggregates/*/*/chunks", b"")],
    "tsdb_wal": [("tsdb/tests/golden/*/wal/*", b"")],
}


def read(path: str) -> str:
    return (CRATES / path).read_text(encoding="utf-8")


def queries() -> list[str]:
    """The queries of our PromQL cases."""
    return re.findall(r"^eval\S* instant (?:at \S+ )?(.+)$", read("promql/tests/cases.test"), re.MULTILINE)


def scripts() -> list[str]:
    """Our PromQL cases a few at a time, each with the series that stand before it."""
    blocks = read("promql/tests/cases.test").split("\n\n")
    return ["\n\n".join(blocks[at : at + 4]) for at in range(0, len(blocks), 4)]


def requests() -> list[str]:
    """The scenarios of Prometheus's API as paths with their queries."""
    found = []
    for path in sorted((CRATES / "prometheus/tests/scenarios").rglob("*.toml")):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            pairs = [f"{name}={quote_plus(value)}" for name, value in case.get("parameters", [])]
            found.append(case["request"].split()[1].lstrip("/") + "?" + "&".join(pairs))
    return found


def bodies() -> list[str]:
    """The bodies of the scenarios of predictions."""
    paths = sorted((CRATES / "streamflow/tests/scenarios").glob("*.toml"))
    cases = [case for path in paths for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]]
    return [case["body"] for case in cases if isinstance(case.get("body"), str)]


def literals(path: str, start: str) -> list[str]:
    """The string literals of a file of Rust that begin as `start`, a pattern, says."""
    escaped = re.findall(rf'"({start}(?:[^"\\]|\\.)*)"', read(path))
    return [re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text) for text in escaped]


def templates() -> list[str]:
    """The templates of the table that Prometheus judges."""
    return literals("template/tests/texts.rs", r"\{\{")


def profiles() -> list[str]:
    """The profile of the snapshot, without the snapshot's head."""
    return [read("drift/tests/snapshots/profiles__profile.snap").split("---\n", 2)[2]]


def metas() -> list[str]:
    """The facts of blocks without their checksums."""
    paths = sorted((CRATES / "tsdb/tests/golden/v1/blocks").glob("*/meta"))
    return [path.read_text(encoding="utf-8").rsplit("crc32", 1)[0] for path in paths]


def configurations() -> list[str]:
    """The configurations of the table that promtool judges."""
    return literals("prometheus_yml/src/config/tests.rs", r"[a-z_]+:[ \\]")


def backups() -> list[bytes]:
    """A backup of a configuration, as it is and compressed."""
    config = read("streamflow/templates/streamflow.toml").encode()
    entry = {"sha256": hashlib.sha256(config).hexdigest(), "size_bytes": len(config)}
    manifest = {
        "format": 1,
        "streamflow": "0.1.0",
        "created_at": "2026-11-30T12:00:00.000Z",
        "source": "/srv/data",
        "database": 8,
        "files": {"streamflow.toml": entry},
    }
    sealed = json.dumps(manifest, separators=(",", ":")).encode()
    written = json.dumps({"sha256": hashlib.sha256(sealed).hexdigest(), "manifest": manifest}).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as files:
        for name, content in (("streamflow.toml", config), ("manifest.json", written)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    return [archive.getvalue(), gzip.compress(archive.getvalue(), mtime=0)]


def protocol_bodies() -> list[bytes]:
    """The bodies of all scenarios, and a message of gRPC in its frame."""
    tensor = b"\x0a\x05hours\x12\x04FP64\x1a\x01\x01" + b"\x2a\x0a\x3a\x08" + struct.pack("<d", 1.5)
    message = b"\x0a\x05churn" + b"\x2a" + bytes([len(tensor)]) + tensor
    return [body.encode() for body in bodies()] + [b"\0" + struct.pack(">I", len(message)) + message]


def otlp() -> list[bytes]:
    """The requests of the table of OTLP, in both encodings."""
    cases = json.loads(read("exposition/tests/golden/otlp.json"))["cases"]
    return [of for case in cases for of in (json.dumps(case["json"]).encode(), bytes.fromhex(case["protobuf"]))]


def dns_messages() -> list[bytes]:
    """An answer of DNS with a record of every type, its names as pointers to the question."""
    found = []
    for kind, data in ((1, b"\x7f\0\0\1"), (28, b"\0" * 16), (33, b"\0\1\0\2\0\x50\xc0\x0c"), (15, b"\0\1\1m\xc0\x0c"), (2, b"\xc0\x0c")):
        head = struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0) + b"\1a\1b\0" + struct.pack(">HH", kind, 1)
        found.append(head + b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data)
    return found


def stored_features() -> list[bytes]:
    """Values and times as Feast and our own layout store them, and a body of pushed features."""
    feast = ["2001", "35cdccee41", "299a99999999d93d40", "3801", "120344534c", "08809be6ad061080cab5ee01"]
    ours = [b"n:29.85", b"b:true", b"t:DSL", b"m:", b"@as_of=2024-01-31T00:00:00Z\nfee=n:1"]
    row = {"user_id": "u", "time": "2024-03-01T12:00:00Z", "features": {"fee": 1.5, "age": 3, "plan": "x", "is_new": None}}
    return [bytes.fromhex(value) for value in feast] + ours + [json.dumps({"rows": [row]}).encode()]


BYTES = {"stored_features": stored_features, "backup_archive": backups, "dns_message": dns_messages, "otlp": otlp, "protocol_bodies": protocol_bodies}

TEXTS = {
    "alert_template": templates,
    "predict_body": bodies,
    "prometheus_api": requests,
    "prometheus_yml": configurations,
    "promql_parse": queries,
    "promql_script": scripts,
    "table_profile": profiles,
    "tsdb_meta": metas,
}


def main() -> int:
    corpus = Path(sys.argv[1])
    seeds: dict[str, list[bytes]] = {}
    for target, files in FILES.items():
        for pattern, prefix in files:
            seeds.setdefault(target, []).extend(prefix + path.read_bytes() for path in sorted(CRATES.glob(pattern)))
    for target, texts in TEXTS.items():
        seeds.setdefault(target, []).extend(text.encode() for text in texts())
    for target, made in BYTES.items():
        seeds.setdefault(target, []).extend(made())
    for target, contents in seeds.items():
        if not contents:
            print(f"error: there is no seed for {target}; the files of the tests have moved", file=sys.stderr)
            return 1
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for place, content in enumerate(contents):
            (folder / f"seed-{place:03}").write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
