"""Requests of OTLP and the series that they become: the expectations of crates/exposition/tests/otlp.rs.

    python3 -m venv VENV && VENV/bin/pip install opentelemetry-proto==1.45.2
    VENV/bin/python tools/golden/otlp.py > crates/exposition/tests/golden/otlp.json

OpenTelemetry's own messages read the JSON of each case, which shows that it is well-formed, and write it in protobuf.
The series are written by hand from the rules of Prometheus 3.5's receiver; Debian builds Prometheus without it.
"""

import base64
import copy
import json

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

T = 1_700_000_000_000
NS = str(T * 1_000_000 + 999_999)


def value(of):
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, float):
        return {"doubleValue": of}
    if isinstance(of, bytes):
        return {"bytesValue": base64.b64encode(of).decode()}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(one) for one in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": attributes(of)}}
    return {} if of is None else {"stringValue": of}


def attributes(of):
    pairs = of if isinstance(of, list) else of.items()
    return [{"key": key, "value": value(one)} for key, one in pairs]


def point(of=None, time=NS, **fields):
    return {"attributes": attributes(of or {}), "timeUnixNano": time, **fields}


def gauge(name, *points, unit=""):
    return {"name": name, "unit": unit, "gauge": {"dataPoints": list(points)}}


def total(name, *points, unit="", temporality=2, monotonic=True):
    data = {"dataPoints": list(points), "aggregationTemporality": temporality, "isMonotonic": monotonic}
    return {"name": name, "unit": unit, "sum": data}


def histogram(name, *points, unit="", temporality=2, kind="histogram"):
    return {"name": name, "unit": unit, kind: {"dataPoints": list(points), "aggregationTemporality": temporality}}


def request(*metrics, **resource):
    of = {key.replace("__", "."): one for key, one in resource.items()}
    return {"resourceMetrics": [{"resource": {"attributes": attributes(of)}, "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": list(metrics)}]}]}


# Name, settings, request, series as `name{labels} value@ms`, refusals as `reason points`.
CASES = [
    ("nothing", {}, {}, [], []),
    ("gauges", {}, request(gauge("room.temperature", point({"room": "a"}, asDouble=21.5), point({"room": "b"}, asInt="-3"), unit="Cel")),
     [f'room_temperature_celsius{{room="a"}} 21.5@{T}', f'room_temperature_celsius{{room="b"}} -3@{T}'], []),
    ("sums", {}, request(total("http.requests", point({"http.method": "GET"}, asInt="5"), unit="{request}"), total("queue", point(asInt="7"), monotonic=False), total("io", point(asDouble=2.5), unit="By/s")),
     [f'http_requests_total{{http_method="GET"}} 5@{T}', f"queue{{}} 7@{T}", f"io_bytes_per_second_total{{}} 2.5@{T}"], []),
    ("job and instance", {}, request(gauge("m", point({"job": "mine"}, asInt="1")), service__name="shop", service__namespace="eu", service__instance__id="i-1"),
     [f'm{{instance="i-1",job="eu/shop"}} 1@{T}'], []),
    ("target_info", {}, request(gauge("m", point(asInt="1")), service__name="shop", host__name="h", host__cores=4),
     [f'm{{job="shop"}} 1@{T}', f'target_info{{host_cores="4",host_name="h",job="shop"}} 1@{T}'], []),
    ("target_info with all attributes", {"keep_identifying": True}, request(gauge("m", point(asInt="1")), service__name="shop", host__name="h"),
     [f'm{{job="shop"}} 1@{T}', f'target_info{{host_name="h",job="shop",service_name="shop"}} 1@{T}'], []),
    ("no target_info without an identity", {}, request(gauge("m", point(asInt="1")), host__name="h"), [f"m{{}} 1@{T}"], []),
    ("target_info over a while", {}, request(gauge("m", point(asInt="1"), point(time=str((T + 400_000) * 1_000_000), asInt="2")), service__name="shop", host__name="h"),
     [f'm{{job="shop"}} 1@{T}', f'm{{job="shop"}} 2@{T + 400_000}'] + [f'target_info{{host_name="h",job="shop"}} 1@{T + at}' for at in (0, 150_000, 300_000, 400_000)], []),
    ("promoted attributes", {"promoted": ["host.name", "missing"]}, request(gauge("m", point({"host_name": "own"}, asInt="1"), point(asInt="2")), host__name="h", zone="z"),
     [f'm{{host_name="own"}} 1@{T}', f'm{{host_name="h"}} 2@{T}'], []),
    ("all attributes promoted", {"promote_all": True, "promoted": ["zone"]}, request(gauge("m", point(asInt="1")), service__name="shop", zone="z"),
     [f'm{{job="shop",service_name="shop"}} 1@{T}', f'target_info{{job="shop",zone="z"}} 1@{T}'], []),
    ("attributes of every kind", {}, request(gauge("m", point({"t": True, "i": 5, "f": 1.5, "whole": 2.0, "big": 1e21, "small": 1e-7, "bytes": b"\x01\xff", "list": ["a<b", 1, None, [2.5]], "map": {"b": 1, "a": {"c": False}}, "none": None}, asInt="1"))),
     [f'm{{big="1e+21",bytes="Af8=",f="1.5",i="5",list="[\\"a\\\\u003cb\\",1,null,[2.5]]",map="{{\\"a\\":{{\\"c\\":false}},\\"b\\":1}}",none="",small="1e-7",t="true",whole="2"}} 1@{T}'], []),
    ("attributes that meet under one name", {}, request(gauge("m", point([("a.b", "2"), ("a_b", "3"), ("a-b", "1")], asInt="1"))), [f'm{{a_b="1;2;3"}} 1@{T}'], []),
    ("histograms", {}, request(histogram("latency", point({"op": "x"}, count="10", sum=12.5, bucketCounts=["1", "2", "7"], explicitBounds=[0.5, 1]), point({"op": "no sum"}, count="3"), unit="s")),
     [f'latency_seconds_sum{{op="x"}} 12.5@{T}', f'latency_seconds_count{{op="x"}} 10@{T}', f'latency_seconds_bucket{{le="0.5",op="x"}} 1@{T}', f'latency_seconds_bucket{{le="1",op="x"}} 3@{T}', f'latency_seconds_bucket{{le="+Inf",op="x"}} 10@{T}',
      f'latency_seconds_count{{op="no sum"}} 3@{T}', f'latency_seconds_bucket{{le="+Inf",op="no sum"}} 3@{T}'], []),
    ("summaries", {}, request({"name": "wait", "unit": "ms", "summary": {"dataPoints": [point(count="4", sum=8, quantileValues=[{"quantile": 0.5, "value": 1.5}, {"quantile": 1, "value": "NaN"}])]}}),
     [f"wait_milliseconds_sum{{}} 8@{T}", f"wait_milliseconds_count{{}} 4@{T}", f'wait_milliseconds{{quantile="0.5"}} 1.5@{T}', f'wait_milliseconds{{quantile="1"}} NaN@{T}'], []),
    ("no value recorded", {}, request(gauge("g", point(asInt="1", flags=1)), histogram("h", point(count="1", sum=1, flags=1))),
     [f"g{{}} stale@{T}", f"h_sum{{}} stale@{T}", f"h_count{{}} stale@{T}", f'h_bucket{{le="+Inf"}} stale@{T}'], []),
    ("deltas", {}, request(total("a", point(asInt="1"), point(asInt="2"), temporality=1), total("b", point(asInt="1"), temporality=0), histogram("c", point(count="1"), temporality=1), gauge("d", point(asInt="1"))),
     [f"d{{}} 1@{T}"], ["temporality 2", "temporality 1", "temporality 1"]),
    ("exponential histograms", {}, request(histogram("e.size",
        point({"a": "b"}, count="12", sum=-3.5, scale=1, zeroCount="2", positive={"offset": -2, "bucketCounts": ["1", "0", "2", "3"]}, negative={"offset": 4, "bucketCounts": ["4"]}, exemplars=[{"timeUnixNano": NS, "asDouble": 1.5}, {"timeUnixNano": NS, "asDouble": 9}]),
        point(count="10", scale=10, positive={"offset": -5, "bucketCounts": ["1", "1", "1", "1", "1", "1", "1", "1", "2"]}),
        point(count="9", flags=1), point(count="1", scale=-5), unit="By", kind="exponentialHistogram"), service__name="shop", host__name="h"),
     [f'e_size_bytes{{a="b",job="shop"}} {{{{schema:1 count:12 sum:-3.5 z_bucket:2 z_bucket_w:1e-128 offset:-1 buckets:[1 0 2 3] n_offset:5 n_buckets:[4]}}}}@{T} # {{}} 1.5@{T} # {{}} 9@{T}',
      f'e_size_bytes{{job="shop"}} {{{{schema:8 count:10 z_bucket_w:1e-128 offset:-1 buckets:[1 4 5]}}}}@{T}', f'e_size_bytes{{job="shop"}} stale@{T}', f'target_info{{host_name="h",job="shop"}} 1@{T}'], ["exponential_histogram 1"]),
    ("exponential histograms as deltas", {}, request(histogram("e", point(count="1"), temporality=1, kind="exponentialHistogram")), [], ["temporality 1"]),
    ("histograms with custom bounds", {"custom_bounds": True}, request(histogram("h.time",
        point(count="6", sum=12.5, bucketCounts=["0", "1", "2", "3"], explicitBounds=[0.5, 1, 2.5], exemplars=[{"timeUnixNano": NS, "asDouble": 9}]), point(count="0", bucketCounts=[], explicitBounds=[]), point(count="9", flags=1), unit="s")),
     [f"h_time_seconds{{}} {{{{schema:-53 count:6 sum:12.5 custom_values:[0.5 1 2.5] offset:1 buckets:[1 2 3]}}}}@{T} # {{}} 9@{T}", f"h_time_seconds{{}} {{{{schema:-53}}}}@{T}", f"h_time_seconds{{}} stale@{T}"], []),
    ("metrics without points", {}, request(gauge("a"), {"name": "b"}), [], ["empty 0", "unknown_kind 0"]),
    ("names as they are, with suffixes", {"translation": "NoUTF8EscapingWithSuffixes"}, request(total("http.requests", point({"http.method": "GET", "größe": "x"}, asInt="5"), unit="s"), service__name="shop", host__name="h"),
     [f'http.requests_seconds_total{{größe="x",http.method="GET",job="shop"}} 5@{T}', f'target_info{{host.name="h",job="shop"}} 1@{T}'], []),
    ("names as they are", {"translation": "NoTranslation"}, request(total("http.requests", point({"http.method": "GET"}, asInt="5"), unit="s")), [f'http.requests{{http.method="GET"}} 5@{T}'], []),
    ("exemplars", {}, request(
        total("c", point(asInt="5", exemplars=[{"timeUnixNano": NS, "asInt": "3", "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "filteredAttributes": attributes({"user.id": "u"})}])),
        histogram("h", point(count="3", bucketCounts=["1", "1", "1"], explicitBounds=[1, 2], exemplars=[{"timeUnixNano": NS, "asDouble": 1.5, "filteredAttributes": attributes({"long": "x" * 200})}, {"timeUnixNano": NS, "asDouble": 9}]))),
     [f'c_total{{}} 5@{T} # {{trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331",user.id="u"}} 3@{T}', f"h_count{{}} 3@{T}", f'h_bucket{{le="1"}} 1@{T}', f'h_bucket{{le="2"}} 2@{T} # {{}} 1.5@{T}', f'h_bucket{{le="+Inf"}} 3@{T} # {{}} 9@{T}'], []),
]


def with_base64(of):
    """JSON as protobuf's own mapping has it, where identifiers are in base64 as other bytes."""
    if isinstance(of, list):
        return [with_base64(one) for one in of]
    if isinstance(of, dict):
        return {key: base64.b64encode(bytes.fromhex(one)).decode() if key in ("traceId", "spanId") else with_base64(one) for key, one in of.items()}
    return of


def main():
    cases = []
    for name, settings, body, series, refused in CASES:
        message = json_format.ParseDict(with_base64(copy.deepcopy(body)), ExportMetricsServiceRequest())
        cases.append({"name": name, "settings": settings, "json": body, "protobuf": message.SerializeToString().hex(), "series": series, "refused": refused})
    print("{\n \"cases\": [")
    print(",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases))
    print(" ]\n}")


main()
