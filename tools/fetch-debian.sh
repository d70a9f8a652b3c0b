#!/usr/bin/env bash
# Unpacks a package of Debian into DIR without installing it: tools/fetch-debian.sh PACKAGE DIR [SUITE]
# The tests know prometheus (with promtool), prometheus-alertmanager and haproxy (with its libraries). Without SUITE the
# package is of the machine's own release; of another one, such as sid, it comes from the machine's mirror by lists of its
# own.
set -euo pipefail
package=${1:?usage: tools/fetch-debian.sh PACKAGE DIR [SUITE]}
dir=${2:?usage: tools/fetch-debian.sh PACKAGE DIR [SUITE]}
suite=${3:-}
aside="$dir.partial"
rm -rf "$aside"
mkdir -p "$aside"
cd "$aside"
apt=(apt-get)
if [ -n "$suite" ]; then
  lists=$(mktemp -d)
  trap 'rm -rf "$lists"' EXIT
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
  # shellcheck disable=SC2016 # apt-get fills the form in
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | head -1)
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian/} $suite main" >"$lists/sources"
  apt+=(-o "Dir::Etc::SourceList=$lists/sources" -o Dir::Etc::SourceParts=- -o "Dir::State::lists=$lists/lists"
    -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update -qq
fi
unpack() {
  # The package lists of a fresh machine are empty or point to a version that is gone.
  "${apt[@]}" download "$1" >/dev/null 2>&1 || { "${apt[@]}" update -qq && "${apt[@]}" download "$1" >/dev/null; }
  dpkg-deb --extract "$1"_*.deb .
  rm "$1"_*.deb
}
unpack "$package"
test -x "usr/bin/$package" || test -x "usr/sbin/$package"
if [ "$package" = haproxy ]; then
  for library in liblua5.3-0 libopentracing-c-wrapper0 libopentracing1; do unpack "$library"; done
fi
# Newer releases have promtool in a package of its own.
if [ "$package" = prometheus ] && [ ! -x usr/bin/promtool ]; then unpack promtool; fi
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
