#!/bin/sh
# Makes the Python that tools/interop/scikit_learn.py trains, converts and scores with: tools/venv-onnxruntime.sh DIR.
set -eu
dir=${1:?usage: tools/venv-onnxruntime.sh DIR}
pins='onnxruntime==1.32.0 skl2onnx==1.20.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/pip" list --format freeze 2>/dev/null | grep '^onnxruntime=='
