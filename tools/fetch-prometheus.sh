#!/usr/bin/env bash
# Unpacks Debian's Prometheus and promtool into DIR without installing them: tools/fetch-prometheus.sh DIR
set -euo pipefail
dir=${1:?usage: tools/fetch-prometheus.sh DIR}
aside="$dir.partial"
rm -rf "$aside"
mkdir -p "$aside"
cd "$aside"
# The package lists of a fresh machine are empty or point to a version that is gone.
apt-get download prometheus >/dev/null 2>&1 || { apt-get update -qq && apt-get download prometheus >/dev/null; }
dpkg-deb --extract prometheus_*.deb .
rm prometheus_*.deb
test -x usr/bin/prometheus && test -x usr/bin/promtool
cd - >/dev/null
rm -rf "$dir"
mv "$aside" "$dir"
