#!/usr/bin/env bash
# Builds the image with the project's Dockerfile and starts the Compose stack that `streamflow init` writes, in podman.
#
# No registry is asked: the base images are made of Debian's packages by debootstrap. The compiler has run already: in the
# image of the build, `cargo build` hands over STREAMFLOW_BIN and `npm run build` the console's files; all else in the
# Dockerfile runs as it stands there. Grafana's image cannot be made that way and is left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
repository=$PWD

skip() {
  echo "containers: SKIPPED, nothing was started: $1" >&2
  exit 0
}
[ "$(id -u)" = 0 ] || skip "podman with runc wants root here"
for tool in podman buildah runc debootstrap; do
  command -v $tool >/dev/null || skip "there is no $tool (apt-get install podman buildah runc debootstrap containernetworking-plugins golang-github-containernetworking-plugin-dnsname dnsmasq-base iptables)"
done
binary=$(realpath "${STREAMFLOW_BIN:?names the binary}")
"$binary" ping --help >/dev/null
cache=${STREAMFLOW_CACHE:?set by the Makefile}
compose=$cache/stack/bin/docker-compose
[ -x "$compose" ] || tools/check-stack.sh >/dev/null
base=$cache/containers/bookworm.tar
mkdir -p "$cache/containers"
work=$(mktemp -d)
project=streamflow
service=

# Files of this test alone: images and containers of the machine are not touched.
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/images"
runroot = "$work/run"
CONF
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
export DOCKER_HOST=unix://$work/podman.sock COMPOSE_PROJECT_NAME=$project

end() {
  status=$?
  trap - EXIT
  if [ $status != 0 ]; then
    [ ! -f "$work/log" ] || tail -n 40 "$work/log" >&2
    for container in $(podman ps --all --quiet 2>/dev/null); do podman logs --names --tail 5 "$container" >&2 || true; done
  fi
  podman rm --all --force --time 5 >/dev/null 2>&1 || true
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  podman network rm --force ${project}_default >/dev/null 2>&1 || true
  # Mounts of a container that did not end would hold the folder.
  podman unmount --all --force >/dev/null 2>&1 || true
  umount "$work/images/overlay" 2>/dev/null || true
  rm -rf "$work"
  exit $status
}
trap end EXIT
# What goes wrong is shown at the end, from here.
quietly() { "$@" >>"$work/log" 2>&1; }

podman info >/dev/null 2>"$work/log" || skip "podman does not run: $(tail -n 1 "$work/log")"
if [ ! -s "$base" ]; then
  echo "making the base image of Debian's packages" >&2
  # shellcheck disable=SC2016 # apt-get fills the form in
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | head -1)
  quietly debootstrap --variant=minbase --include=ca-certificates,wget,libstdc++6 bookworm "$work/debian" "$mirror"
  tar --directory "$work/debian" --create --exclude=./var/cache/apt --exclude=./var/lib/apt/lists . >"$base.partial"
  mv "$base.partial" "$base"
fi
import() { quietly podman import "$@"; }
import "$base" docker.io/library/debian:bookworm-slim
if ! quietly podman run --rm --network none debian:bookworm-slim true; then
  skip "podman starts no container: $(tail -n 1 "$work/log")"
fi

# ── The images that the Dockerfile begins with ───────────────────────────────────────────────────
[ -x "$cache/sbom/bin/cargo-cyclonedx" ] || quietly cargo install --locked --root "$cache/sbom" cargo-cyclonedx@0.5.9
tools/sbom.sh console "$work/handed" 2>>"$work/log"
PATH=$cache/sbom/bin:$PATH tools/sbom.sh rust "$work/handed" 2>>"$work/log"
cp "$binary" "$work/handed/streamflow"
cp -r console/dist "$work/handed/dist"
cat >"$work/handed/cargo" <<'SH'
#!/bin/sh -eu
# Stands in the place of the compiler: what it made is there already.
case $1 in
  install) ;;
  build) install -D /handed/streamflow target/release/streamflow ;;
esac
SH
cat >"$work/handed/cargo-cyclonedx" <<'SH'
#!/bin/sh -eu
for manifest; do :; done
cp /handed/streamflow.cdx.json "$(dirname "$manifest")"
SH
cat >"$work/handed/npm" <<'SH'
#!/bin/sh -eu
case $1 in
  ci) ;;
  run) cp -r /handed/dist dist ;;
  sbom) cat /handed/console.cdx.json ;;
esac
SH
chmod +x "$work/handed/cargo" "$work/handed/cargo-cyclonedx" "$work/handed/npm"
cat >"$work/Base" <<'DOCKER'
FROM docker.io/library/debian:bookworm-slim
COPY handed /handed
ENV PATH=/handed:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
DOCKER
build() {
  quietly buildah bud --layers=false --format docker --network host --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 "$@"
}
build --file "$work/Base" --tag docker.io/library/rust:1.95-bookworm "$work"
podman tag docker.io/library/rust:1.95-bookworm docker.io/library/node:20-bookworm-slim

# ── The image ────────────────────────────────────────────────────────────────────────────────────
build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --file Dockerfile \
  --ignorefile .dockerignore --tag docker.io/library/streamflow:latest "$repository"
quietly podman push --format oci streamflow:latest "oci:$work/pushed"
compressed=$(du --bytes --summarize "$work/pushed/blobs" | cut -f 1)
[ "$compressed" -le 60000000 ] || { echo "containers: the image takes $compressed bytes, compressed" >&2; exit 1; }
holder=$(podman create streamflow:latest)
podman export "$holder" --output "$work/image.tar"
podman rm "$holder" >/dev/null
tar --list --file "$work/image.tar" >"$work/image.txt"
# usr/share/sbom has what it is made of, var/lib/dpkg/status.d what it has of Debian.
for file in usr/share/sbom/streamflow.cdx.json usr/share/sbom/console.cdx.json var/lib/dpkg/status.d/libc6 etc/ssl/certs/ca-certificates.crt; do
  grep -qx "$file" "$work/image.txt" || { echo "containers: the image lacks $file" >&2; exit 1; }
done
if grep -E '(^|/)(sh|bash|dash|curl|apt|dpkg|perl)$' "$work/image.txt" >&2; then
  echo "containers: the image holds what a server does not need" >&2
  exit 1
fi
tar --extract --file "$work/image.tar" --directory "$work" usr/share/sbom
components=$(python3 -c '
import json, sys
for path in sys.argv[1:]:
    bom = json.load(open(path))
    assert bom["bomFormat"] == "CycloneDX", path
    names = [component["name"] for component in bom["components"]]
    assert any(name in names for name in ("axum", "preact")), path
    print(len(names), end=" ")
' "$work/usr/share/sbom/streamflow.cdx.json" "$work/usr/share/sbom/console.cdx.json")

# ── A Prometheus of Debian's package, in the place of its own image ──────────────────────────────
[ -x "$cache/prometheus/usr/bin/prometheus" ] || tools/fetch-debian.sh prometheus "$cache/prometheus"
cp "$cache/prometheus/usr/bin/prometheus" "$work/prometheus"
cat >"$work/Prometheus" <<'DOCKER'
FROM docker.io/library/debian:bookworm-slim
COPY prometheus /bin/prometheus
RUN install -d -o 65534 -g 65534 /prometheus
ENTRYPOINT ["/bin/prometheus"]
DOCKER
build --file "$work/Prometheus" --tag docker.io/prom/prometheus:v2.55.1 "$work"

# ── The stack ────────────────────────────────────────────────────────────────────────────────────
podman system service --time=0 "$DOCKER_HOST" >>"$work/log" 2>&1 &
service=$!
shop=$work/shop
(cd "$work" && "$binary" init shop && cd shop && "$binary" sample --out drops --rows 400 --months 2) >/dev/null
chmod -R a+rX "$shop"
cd "$shop"
# Ports of this test's own.
ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
read -r api prometheus grafana <<<"$ports"
sed -i "s/:8000:8000/:$api:8000/; s/:9090:9090/:$prometheus:9090/; s/:3000:3000/:$grafana:3000/" docker-compose.yml
until_holds() {
  for _ in $(seq 60); do
    if "$@" >>"$work/log" 2>&1; then return 0; fi
    sleep 1
  done
  echo "containers: this does not come to hold: $*" >&2
  return 1
}
answers() { [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$2")" = "$1" ]; }
counted() {
  curl --silent --get --data-urlencode 'query=api_requests_total' "http://127.0.0.1:$prometheus/api/v1/query" | grep -q "\"$1\"\\]"
}
quietly "$compose" up --detach api prometheus
until_holds answers 200 "http://127.0.0.1:$api/health"
answers 503 "http://127.0.0.1:$api/ready"
# Without systemd nobody runs them by the clock.
until_holds podman healthcheck run $project-api-1
until_holds podman healthcheck run streamflow-prometheus
inside() { quietly "$compose" run --rm --no-deps --volume "$shop/drops:/drops:ro" api "$@"; }
inside ingest --as-of 2024-01-31 /drops/month_2024-01-31
inside ingest --as-of 2024-02-29 /drops/month_2024-02-29
inside train --as-of 2024-01-31
until_holds answers 200 "http://127.0.0.1:$api/ready"
inside monitor --reference 2024-01-31 --current 2024-02-29
# A name of the network, resolved by the image's own C library.
inside ping http://api:8000/ready
user=$(sed -n 2p drops/month_2024-02-29/users.csv | cut -d, -f1)
for _ in 1 2 3 4 5 6; do
  curl --fail --silent --output /dev/null -H 'Content-Type: application/json' -d "{\"user_id\":\"$user\"}" "http://127.0.0.1:$api/predict"
done
until_holds counted 6
quietly "$compose" stop api
ended=$(podman inspect --format '{{.State.ExitCode}}' $project-api-1)
[ "$ended" = 0 ] || { echo "containers: the server ended with $ended" >&2; exit 1; }
quietly "$compose" down
quietly "$compose" up --detach api
until_holds answers 200 "http://127.0.0.1:$api/ready"
inside monitor --reference 2024-01-31 --current 2024-02-29
quietly "$compose" cp api:/data/reports "$work/reports"
[ -s "$work/reports/drift/drift_2024-01-31_vs_2024-02-29.html" ]
quietly "$compose" down --volumes

# ── Several servers behind the proxy ─────────────────────────────────────────────────────────────
# Postgres and what needs it are left out: here the two servers share SQLite's file, being on one machine.
cat >"$work/Proxy" <<'DOCKER'
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends haproxy
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
DOCKER
build --file "$work/Proxy" --tag docker.io/library/haproxy:3.0-alpine "$work"
large=$work/large
(cd "$work" && "$binary" init --size large large) >/dev/null
cp "$shop/streamflow.toml" "$large/"
chmod -R a+rX "$large"
cd "$large"
sed -i "s/:8000:8000/:$api:8000/; s/:9090:9090/:$prometheus:9090/; s/:3000:3000/:$grafana:3000/" docker-compose.yml
through_proxy() { answers "$1" "http://127.0.0.1:$api/ready"; }
both_scraped() {
  curl --silent --get --data-urlencode 'query=count(up{job="api"} == 1)' "http://127.0.0.1:$prometheus/api/v1/query" | grep -q '"2"\]'
}
one_scraped() {
  curl --silent --get --data-urlencode 'query=count(up{job="api"} == 1)' "http://127.0.0.1:$prometheus/api/v1/query" | grep -q '"1"\]'
}
quietly "$compose" up --detach --no-deps api proxy prometheus
until_holds through_proxy 503
until_holds podman healthcheck run $project-proxy-1
inside ingest --as-of 2024-01-31 /drops/month_2024-01-31
inside train --as-of 2024-01-31
until_holds through_proxy 200
until_holds both_scraped
user=$(sed -n 2p "$shop/drops/month_2024-01-31/users.csv" | cut -d, -f1)
ask() {
  curl --silent --output /dev/null --write-out '%{http_code}\n' -H 'Content-Type: application/json' -d "{\"user_id\":\"$user\"}" "http://127.0.0.1:$api/predict"
}
# One of the two is told to stop while predictions are asked for.
podman stop --time 20 $project-api-1 >>"$work/log" 2>&1 &
stopping=$!
for _ in $(seq 200); do ask; done | sort | uniq --count >"$work/answers"
wait $stopping
grep -qxE ' *200 200' "$work/answers" || { echo "containers: answers while one of two servers stopped:" >&2; cat "$work/answers" >&2; exit 1; }
until_holds one_scraped
quietly "$compose" down --volumes

echo "podman $(podman --version | cut -d' ' -f3): an image of $((compressed / 1000000)) MB (compressed, without a shell) with the list of its ${components/ / and }components (Rust, console); the stack was healthy, ingested, trained and predicted, its Prometheus counted 6 predictions, SIGTERM ended it with 0, its data outlived it; of two servers behind the proxy one was stopped while 200 predictions were asked for, and all were answered"
