#!/usr/bin/env bash
# Installs what the tests need beside Rust into $STREAMFLOW_CACHE. A second run finds everything there.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${STREAMFLOW_CACHE:?set by the Makefile}"
mkdir -p "$STREAMFLOW_CACHE"

missing=()
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
[ -x "${STREAMFLOW_POSTGRES_BIN:-}/initdb" ] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
  missing+=(postgresql)
if ((${#missing[@]})); then
  echo "installing ${missing[*]}"
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq "${missing[@]}"
  else
    sudo apt-get update -qq && sudo apt-get install -y -qq "${missing[@]}"
  fi
fi

check="$STREAMFLOW_CACHE/check"
if ! cmp -s tools/requirements-check.txt "$check/requirements"; then
  echo "installing the lint and test tools"
  python3 -m venv "$check"
  "$check/bin/pip" install -q -r tools/requirements-check.txt
  cp tools/requirements-check.txt "$check/requirements"
fi

[ -x "${STREAMFLOW_PROMETHEUS:-}" ] || tools/fetch-debian.sh prometheus "$STREAMFLOW_CACHE/prometheus"
[ -x "${STREAMFLOW_ALERTMANAGER:-}" ] ||
  tools/fetch-debian.sh prometheus-alertmanager "$STREAMFLOW_CACHE/alertmanager"
[ -x "${STREAMFLOW_REDIS:-}" ] || tools/fetch-redis.sh "$STREAMFLOW_CACHE/redis"
[ -x "${STREAMFLOW_PREFECT:-}" ] || tools/venv-prefect.sh "$STREAMFLOW_CACHE/prefect"
[ -x "${STREAMFLOW_MOTO:-}" ] || tools/venv-moto.sh "$STREAMFLOW_CACHE/moto"
