#!/bin/sh
# Makes a Prefect server for tests/prefect.rs: tools/venv-prefect.sh DIR; then STREAMFLOW_PREFECT=DIR/bin/prefect.
# Newer FastAPI breaks this Prefect at start ("Body() got an unexpected keyword argument 'min_items'").
set -eu
dir=${1:?usage: tools/venv-prefect.sh DIR}
pins='prefect==3.7.2 fastapi==0.129.2 starlette==0.52.1 pydantic==2.14.3 SQLAlchemy==2.0.58 uvicorn==0.54.0'
if [ "$(cat "$dir/pins" 2>/dev/null)" != "$pins" ]; then
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # the pins are words
  "$dir/bin/pip" install --quiet $pins
  printf '%s\n' "$pins" > "$dir/pins"
fi
"$dir/bin/prefect" --version
