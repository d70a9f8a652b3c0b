#!/bin/sh
# Makes a Feast for tools/interop/feast.py and feast_direct.py, and for bench/features.py: tools/venv-feast.sh DIR; then
# STREAMFLOW_FEAST=DIR/bin/feast.
set -eu
dir=${1:?usage: tools/venv-feast.sh DIR}
# Feast 0.67 fails with newer protobufs.
pins='feast[redis,postgres]==0.67.0 protobuf<6'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/feast" version
