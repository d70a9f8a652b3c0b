#!/usr/bin/env bash
# Builds what bench/prometheus.py needs and runs it; flags are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
cargo build --release --locked -p streamflow
cargo build --release --locked -p streamflow-exposition --example feed
exec python3 bench/prometheus.py --feed "$CARGO_TARGET_DIR/release/examples/feed" "$@"
