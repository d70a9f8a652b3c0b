#!/bin/sh
# Makes an S3-compatible server for crates/bucket/tests and tests/cli/buckets.rs: tools/venv-moto.sh DIR; then
# STREAMFLOW_MOTO=DIR/bin/moto_server.
set -eu
dir=${1:?usage: tools/venv-moto.sh DIR}
pins='moto[s3,server]==5.2.5'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/pip" list --format freeze 2>/dev/null | grep '^moto='
