#!/bin/sh
# Makes the Python that the wheel is built and tested with: tools/venv-wheel.sh DIR.
set -eu
dir=${1:?usage: tools/venv-wheel.sh DIR}
pins='maturin==1.16.0 ruff==0.17.6 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1 numpy==2.4.6 scipy==1.17.1 pytest==9.2.0 hypothesis==6.170.17'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/pip" list --format freeze 2>/dev/null | grep '^maturin=='
