#!/usr/bin/env bash
# Runs the release binary against real products that take minutes to install, and the sample store under a hundred
# kills. Prints a line each; docs/interop.md holds the lines of the last run.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/interop/containers.sh
tools/venv-moto.sh "${STREAMFLOW_CACHE:?set by the Makefile}/moto" >/dev/null
[ -x "$STREAMFLOW_CACHE/haproxy/usr/sbin/haproxy" ] || tools/fetch-debian.sh haproxy "$STREAMFLOW_CACHE/haproxy"
python3 tools/interop/fleet.py
python3 tools/interop/evidently.py
python3 tools/interop/prefect.py
cluster=${STREAMFLOW_CLUSTER:?set by the Makefile}
python3 tools/interop/cluster.py --streamflow "$cluster/streamflow" --node "$cluster/examples/node" --tables "$cluster/examples/tables"
if command -v java >/dev/null; then
  tools/venv-spark.sh "${STREAMFLOW_CACHE:?set by the Makefile}/spark" >/dev/null
  "$STREAMFLOW_CACHE/spark/bin/python" tools/interop/spark.py
else
  echo "SKIPPED: Apache Spark, which needs java" >&2
fi
tools/venv-mlflow.sh "${STREAMFLOW_CACHE:?set by the Makefile}/mlflow" >/dev/null
STREAMFLOW_MLFLOW="$STREAMFLOW_CACHE/mlflow/bin/mlflow" python3 tools/interop/mlflow.py
tools/venv-feast.sh "$STREAMFLOW_CACHE/feast" >/dev/null
STREAMFLOW_FEAST="$STREAMFLOW_CACHE/feast/bin/feast" python3 tools/interop/feast.py
STREAMFLOW_FEAST="$STREAMFLOW_CACHE/feast/bin/feast" python3 tools/interop/feast_direct.py
tools/venv-schemathesis.sh "${STREAMFLOW_CACHE:?set by the Makefile}/schemathesis" >/dev/null
python3 tools/interop/openapi.py
tools/venv-onnxruntime.sh "$STREAMFLOW_CACHE/onnxruntime" >/dev/null
"$STREAMFLOW_CACHE/onnxruntime/bin/python" -W ignore tools/interop/scikit_learn.py
tools/venv-protocols.sh tritonclient "$STREAMFLOW_CACHE/tritonclient" >/dev/null
tools/venv-protocols.sh kserve "$STREAMFLOW_CACHE/kserve" >/dev/null
tools/venv-protocols.sh mlserver "$STREAMFLOW_CACHE/mlserver" >/dev/null
python3 tools/interop/protocols.py
# Debian's Prometheus 3; the tests take the one of the stable suite, which is a 2.
prometheus=${STREAMFLOW_PROMETHEUS_3:-$STREAMFLOW_CACHE/prometheus35/usr/bin/prometheus}
[ -x "$prometheus" ] || tools/fetch-debian.sh prometheus "$STREAMFLOW_CACHE/prometheus35" sid
# The suite's queries are YAML, which the environment of MLflow reads.
"$STREAMFLOW_CACHE/mlflow/bin/python" tools/interop/promql.py --prometheus "$prometheus"
python3 tools/interop/promql_random.py --prometheus "$prometheus"
python3 tools/interop/remote_write_kills.py --prometheus "$prometheus"
STREAMFLOW_TORTURE=100 cargo test -p streamflow-tsdb --locked --quiet --test torture >/dev/null
echo "sample store: killed 100 times while it appended, no acknowledged sample lost"
