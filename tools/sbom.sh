#!/bin/sh
# Lists what the binary (rust) or the web console in it (console) is made of, as CycloneDX 1.5: tools/sbom.sh rust|console DIR
# Both from the lock files; what tests alone need is left out. rust needs cargo-cyclonedx, console npm.
set -eu
what=${1:?usage: tools/sbom.sh rust|console DIR}
mkdir -p "${2:?usage: tools/sbom.sh rust|console DIR}"
dir=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
case $what in
  rust)
    # It writes beside each Cargo.toml, so it works on a copy.
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -r Cargo.toml Cargo.lock crates python "$copy"
    cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
      --manifest-path "$copy/crates/streamflow/Cargo.toml"
    # References name the folder; that of the copy means nothing to anybody.
    sed "s#$copy#/src#g" "$copy/crates/streamflow/streamflow.cdx.json" >"$dir/streamflow.cdx.json"
    ;;
  console)
    (cd console && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx) >"$dir/console.cdx.json"
    ;;
  *)
    echo "tools/sbom.sh lists rust or console, not $what" >&2
    exit 2
    ;;
esac
