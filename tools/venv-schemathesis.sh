#!/bin/sh
# Makes the program that tools/interop/openapi.py asks with: tools/venv-schemathesis.sh DIR.
set -eu
dir=${1:?usage: tools/venv-schemathesis.sh DIR}
pins='schemathesis==4.32.5'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  "$dir/bin/pip" install --quiet "$pins"
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/schemathesis" --version
