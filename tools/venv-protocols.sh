#!/bin/sh
# Makes the Python of a client of model servers: tools/venv-protocols.sh tritonclient|kserve|mlserver DIR.
# tools/interop/protocols.py asks with all, and bench/models.py serves the same model with the last.
set -eu
usage='usage: tools/venv-protocols.sh tritonclient|kserve|mlserver DIR'
dir=${2:?$usage}
case $1 in
  tritonclient) pins='tritonclient[http,grpc]==2.73.0 grpcio==1.85.3 numpy==2.4.6' ;;
  kserve) pins='kserve==0.21.0 grpcio==1.85.3 numpy==2.4.6' ;;
  # Newer FastAPI breaks this MLServer at start.
  mlserver) pins='mlserver==1.7.1 mlserver-xgboost==1.7.1 xgboost==3.2.0 fastapi==0.115.14 numpy==2.4.6' ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/pip" list --format freeze 2>/dev/null | grep "^$1=="
