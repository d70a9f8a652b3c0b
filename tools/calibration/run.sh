#!/bin/sh
# Simulates false alarms and power of both profiles and prints the tables of docs/statistics.md ("Calibration").
# run.sh [REPORTS]: simulated reports at 1,000 rows, default 400; some minutes on two cores.
set -eu
cd "$(dirname "$0")/../.."
exec cargo run --release --quiet --locked --package streamflow-drift --example calibration -- "${1:-400}"
