"""Writes the text Python's client gives for the two metrics whose spelling is a contract.

    pip install prometheus_client==0.26.0
    python tools/golden/prometheus_client_text.py crates

Read by the tests of crates/streamflow/src/api/metrics.rs and crates/exposition/src/writer.rs.
"""

import pathlib
import sys

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest as classic
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.utils import floatToGoString

assert len(sys.argv) == 2, __doc__
crates = pathlib.Path(sys.argv[1])
api, writer = crates / "streamflow/tests/golden", crates / "exposition/tests/golden"

registry = CollectorRegistry()
requests = Counter("api_requests_total", "Total API requests", registry=registry)
latency = Histogram("api_request_latency_seconds", "API latency", registry=registry)
for metric in (requests, latency):
    metric._created = 1700000000.25
for seconds in (0.001, 0.005, 0.02, 0.75, 1.0, 20.0):
    requests.inc()
    latency.observe(seconds)
(api / "api_metrics.classic.txt").write_bytes(classic(registry))
(api / "api_metrics.openmetrics.txt").write_bytes(openmetrics(registry))

registry = CollectorRegistry()
escaped = Counter("escaped_total", 'A \\ and a \n and a "', ["code"], registry=registry)
child = escaped.labels('2"\\0\n0')
child.inc(12345678.5)
child._created = 1700000000.25
(writer / "escaped.classic.txt").write_bytes(classic(registry))
(writer / "escaped.openmetrics.txt").write_bytes(openmetrics(registry))

numbers = [0.0, 1.0, 0.1, 0.0001, 1e-05, 1.5e-07, -1.5e-05, 5e-324, 123456.5, 999999.0, 1e6, 1234567.0, 1e15, 1e16]
numbers += [1.5e16, 1e21, 1e100, -1e6, -1e15, -1e16, 1700000000.25, float("inf"), float("-inf"), float("nan")]
lines = [f"{number!r} {floatToGoString(number)}\n" for number in numbers]
(writer / "numbers.txt").write_text("".join(lines))
