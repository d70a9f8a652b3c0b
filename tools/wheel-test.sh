#!/bin/sh
# Installs a wheel where nothing else is, and beside the libraries that it reads tables of, and runs python/tests:
# tools/wheel-test.sh WHEEL DIR, where DIR is what tools/venv-wheel.sh made.
set -eu
wheel=${1:?usage: tools/wheel-test.sh WHEEL DIR}
dir=${2:?usage: tools/wheel-test.sh WHEEL DIR}
here=$(cd "$(dirname "$0")/.." && pwd)
rm -rf "$dir/empty"
python3 -m venv "$dir/empty"
"$dir/empty/bin/pip" install --quiet --no-index "$wheel"
"$dir/bin/pip" install --quiet --no-index --force-reinstall --no-deps "$wheel"
# From elsewhere, so that the module is the installed one.
cd /
"$dir/empty/bin/python" "$here/python/tests/bare.py"
"$dir/bin/python" -m pytest -q -p no:cacheprovider "$here/python/tests"
beside=$("$dir/bin/pip" list --format freeze 2>/dev/null | grep -E '^(duckdb|pandas|polars|pyarrow|scipy)==' | paste -sd ' ' -)
echo "the wheel beside $beside: all tests of python/tests passed"
cd "$here/python"
"$dir/bin/ruff" check --no-cache --quiet .
"$dir/bin/ruff" format --no-cache --quiet --check .
