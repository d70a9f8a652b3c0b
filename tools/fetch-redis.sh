#!/usr/bin/env bash
# Unpacks Debian's Redis into DIR without installing it: tools/fetch-redis.sh DIR; then DIR/bin/redis-server. An installed
# package would start a server and take its port.
set -euo pipefail
dir=${1:?usage: tools/fetch-redis.sh DIR}
aside="$dir.partial"
rm -rf "$aside"
mkdir -p "$aside/bin"
cd "$aside"
download() {
  # The package lists of a fresh machine are empty or point to a version that is gone.
  apt-get download "$@" >/dev/null 2>&1 || { apt-get update -qq && apt-get download "$@" >/dev/null; }
}
download redis-tools
# The libraries that it needs and that the machine does not have.
needed=$(apt-cache depends --no-recommends --no-suggests redis-tools | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p')
for package in $needed; do
  if ! dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q ' installed$'; then
    download "$package"
  fi
done
for package in ./*.deb; do
  dpkg-deb --extract "$package" .
  rm "$package"
done
# One program under three names: it is a server where it is called so.
mkdir -p lib
ln -s ../usr/bin/redis-check-rdb lib/redis-server
cat >bin/redis-server <<'SCRIPT'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
libraries=$(find "$here/usr/lib" -name '*.so*' -exec dirname {} + | sort -u | tr '\n' ':')
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:-}" exec "$here/lib/redis-server" "$@"
SCRIPT
chmod +x bin/redis-server
bin/redis-server --version
cd - >/dev/null
rm -rf "$dir"
mv "$aside" "$dir"
