#!/usr/bin/env bash
# Runs fuzz targets for so many seconds each, two at a time, and prints how many inputs each has seen.
#   tools/fuzz.sh SECONDS [TARGET ...]
# Needs cargo-fuzz (`cargo install cargo-fuzz`); on a stable compiler it sets RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
export RUSTC_BOOTSTRAP=1
seconds=$1
shift
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(cargo fuzz list)
cargo fuzz build --sanitizer none --release >&2

one() {
    local log
    log=$(mktemp)
    if cargo fuzz run --sanitizer none --release "$1" -- -max_total_time="$2" -print_final_stats=1 -rss_limit_mb=4096 >"$log" 2>&1; then
        echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no crash"
    else
        echo "$1: FAILED, see $log"
        return 1
    fi
}
export -f one
printf '%s\n' "${targets[@]}" | xargs -P 2 -I {} bash -c 'one "$1" "$2"' _ {} "$seconds"
