#!/usr/bin/env bash
# Makes the root of a small Debian of this machine's release, as an archive outside the clone, and prints where it is.
# A second run makes nothing. Needs mmdebstrap.
set -euo pipefail
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
archive="${XDG_CACHE_HOME:-$HOME/.cache}/gazetteer/debian-$release.tar"

if [ ! -e "$archive" ]; then
  mkdir -p "$(dirname "$archive")"
  # Where this machine has Debian's packages from: others of its sources may have their keys elsewhere.
  for sources in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ ! -s "$sources" ] || break
  done
  mmdebstrap --quiet --variant=minbase --include=adduser,ca-certificates "$release" "$archive.part.tar" "$sources" >&2
  mv "$archive.part.tar" "$archive"
fi
echo "$archive"
