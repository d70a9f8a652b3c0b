#!/bin/sh
# Makes an MLflow server for tools/interop/mlflow.py: tools/venv-mlflow.sh DIR; then STREAMFLOW_MLFLOW=DIR/bin/mlflow.
set -eu
dir=${1:?usage: tools/venv-mlflow.sh DIR}
pins='mlflow==3.17.2 onnx==1.23.2 onnxruntime==1.32.0 xgboost-cpu==3.2.0'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/mlflow" --version
