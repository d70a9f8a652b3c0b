#!/usr/bin/env bash
# Unpacks a package of Debian into DIR without installing it: tools/fetch-debian.sh PACKAGE DIR
# The tests know prometheus (with promtool) and prometheus-alertmanager.
set -euo pipefail
package=${1:?usage: tools/fetch-debian.sh PACKAGE DIR}
dir=${2:?usage: tools/fetch-debian.sh PACKAGE DIR}
aside="$dir.partial"
rm -rf "$aside"
mkdir -p "$aside"
cd "$aside"
# The package lists of a fresh machine are empty or point to a version that is gone.
apt-get download "$package" >/dev/null 2>&1 || { apt-get update -qq && apt-get download "$package" >/dev/null; }
dpkg-deb --extract "$package"_*.deb .
rm "$package"_*.deb
test -x "usr/bin/$package"
if [ "$package" = prometheus-alertmanager ]; then
  # Debian's build reads its templates from /usr/share. This copy reads them from the directory in which it is
  # started: a path of the same length, because strings in a Go program are not terminated.
  installed=/usr/share/prometheus/alertmanager
  here=$(printf './%.0s' {1..17})
  test ${#installed} = ${#here}
  LC_ALL=C sed -i "s#$installed#$here#g" "usr/bin/$package"
fi
cd - >/dev/null
rm -rf "$dir"
mv "$aside" "$dir"
