#!/usr/bin/env bash
# Makes an OCI image without an engine: `deploy/image.sh PROGRAM FOLDER` puts the program, with the libraries that
# it is linked to, into an OCI layout in FOLDER, tagged by its version. The same program gives the same digest.
# Needs umoci, and the CA bundle of this machine.
set -euo pipefail
program=$(realpath "$1")
layout=$2
version=$("$program" --version | cut -d' ' -f2)
# What the image dates itself to: nothing in it may depend on when or where it was made.
export SOURCE_DATE_EPOCH=0
date=1970-01-01T00:00:00Z
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

rm -rf "$layout"
umoci init --layout "$layout"
umoci new --image "$layout:$version"
umoci unpack --image "$layout:$version" "$work/bundle"
root=$work/bundle/rootfs

install -D -m 0755 "$program" "$root/usr/bin/gazetteer"
strip "$root/usr/bin/gazetteer"
# A static program has none.
{ ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true; } | while read -r library; do
  install -D -m 0755 "$(realpath "$library")" "$root$library"
done
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
install -d -m 0755 "$root/etc/gazetteer"
install -d -m 0750 -o 65532 -g 65532 "$root/var/lib/gazetteer"
echo 'gazetteer:x:65532:65532::/var/lib/gazetteer:/sbin/nologin' >"$root/etc/passwd"
echo 'gazetteer:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
find "$root" -exec touch --no-dereference --date=@0 {} +

umoci repack --image "$layout:$version" --history.created "$date" "$work/bundle"
umoci config --image "$layout:$version" --created "$date" --history.created "$date" \
  --config.user 65532:65532 --config.entrypoint /usr/bin/gazetteer \
  --config.cmd serve --config.cmd /etc/gazetteer/gazetteer.toml \
  --config.env STATE_DIRECTORY=/var/lib/gazetteer \
  --config.label org.opencontainers.image.title=gazetteer \
  --config.label "org.opencontainers.image.version=$version" \
  --config.label org.opencontainers.image.licenses="MIT OR Apache-2.0"
umoci gc --layout "$layout"
