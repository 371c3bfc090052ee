#!/usr/bin/env bash
# Writes the bill of materials of the program into FILE, in the format of CycloneDX. Needs cargo-cyclonedx
# and dpkg-dev.
set -euo pipefail
file=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# When the release was made: nothing in it may depend on when this runs.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --file deploy/debian/changelog --show-field Timestamp)
export SOURCE_DATE_EPOCH
# It writes beside the manifest.
trap 'rm -f gazetteer.cdx.json' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu \
  --override-filename gazetteer.cdx
# Nor on where.
sed "s#path+file://$PWD#path+file:///gazetteer#g" gazetteer.cdx.json >"$file"
