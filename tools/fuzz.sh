#!/usr/bin/env bash
# Runs fuzz targets for so many seconds each and prints a table of what each has seen.
#   tools/fuzz.sh SECONDS [TARGET ...]
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and Python 3; a nightly compiler is not needed. As many run at a
# time as JOBS says, two if it says nothing. What a target finds lies in fuzz/artifacts/TARGET, its corpus in
# fuzz/corpus/TARGET and its log in fuzz/logs.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET ...]}
shift
# cargo-fuzz asks the compiler for coverage, which is named unstable and is the same in every release.
export RUSTC_BOOTSTRAP=1
# The versions that are released, not the newest of each library.
[ -e Cargo.lock ] || cp ../Cargo.lock .
# Targets that write files do it in memory where the system has such a folder.
[ ! -d /dev/shm ] || export TMPDIR=${TMPDIR:-/dev/shm}
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(cargo fuzz list)

cargo fuzz build --sanitizer none --release >&2
python3 ../tools/fuzz_seeds.py corpus
mkdir -p logs
built=$(cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d '"' -f 4)
built=$built/$(rustc -vV | sed -n 's/^host: //p')/release

run() {
    local target=$1 log=logs/$1.log executions crashes
    rm -rf "artifacts/$target"
    mkdir -p "artifacts/$target" "corpus/$target"
    "$2/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" -max_total_time="$3" -max_len=16384 \
        -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 >"$log" 2>&1 || true
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    crashes=$(find "artifacts/$target" -type f | wc -l)
    # An overflow of the stack ends the process before it leaves its input.
    ((crashes > 0)) || grep -q '^Done ' "$log" || crashes=1
    echo "| $target | $3 | ${executions:=0} | $((executions / $3)) | $(find "corpus/$target" -type f | wc -l) | $crashes |"
    ((crashes == 0))
}
export -f run
echo '| target | seconds | executions | executions/s | corpus | crashes |'
echo '|---|---:|---:|---:|---:|---:|'
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-2}" -I {} bash -c 'run "$@"' _ {} "$built" "$seconds"
