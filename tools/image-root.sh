#!/bin/sh
# Makes the root of the image in a Debian that built the binary: tools/image-root.sh BINARY ROOT
# The libraries are those that the binary is linked with, and those that an onnxruntime wants which is mounted beside it.
# ROOT-writable gets the folders that are its user's. What each package says of itself lies where scanners look for it in images without a package manager.
set -eu
binary=${1:?usage: tools/image-root.sh BINARY ROOT}
root=${2:?usage: tools/image-root.sh BINARY ROOT}
packages="libc6 libgcc-s1 libstdc++6 ca-certificates"
libraries="libstdc++.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libm.so.6 libgcc_s.so.1"

rm -rf "$root" "$root-writable"
# Two folders that the image's user writes to; the rest is root's.
mkdir -p "$root-writable/data" "$root-writable/tmp"
mkdir -p "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/usr/share/sbom"
install -D "$binary" "$root/usr/local/bin/streamflow"
for library in $libraries; do
  # Their paths as the loader's cache has them for the binary's own architecture.
  cp --parents --dereference "$(ldconfig -p | awk -v name="$library" '$1 == name { print $NF; exit }')" "$root"
done
linked=$(ldd "$binary")
for path in $(echo "$linked" | grep -o '/[^ ]*'); do
  cp --parents --dereference "$path" "$root"
done
if echo "$linked" | grep -q "not found"; then
  echo "the binary is linked with what this Debian lacks: $linked" >&2
  exit 1
fi
for package in $packages; do
  dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
  cp --parents --dereference "/usr/share/doc/$package/copyright" "$root"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo "streamflow:x:10001:10001:StreamFlow:/data:/sbin/nologin" >"$root/etc/passwd"
echo "streamflow:x:10001:" >"$root/etc/group"
# Names of /etc/hosts before those of DNS.
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
