#!/bin/sh
# Makes an Apache Spark for tools/interop/spark.py, which needs a Java from 17 on: tools/venv-spark.sh DIR.
set -eu
dir=${1:?usage: tools/venv-spark.sh DIR}
pins='pyspark==4.3.0 pyarrow==26.0.1'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/pip" list --format freeze 2>/dev/null | grep '^pyspark='
