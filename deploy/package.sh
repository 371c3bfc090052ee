#!/usr/bin/env bash
# Makes the Debian package: `deploy/package.sh PROGRAM FILE [VERSION]` puts the program, stripped, with its man pages,
# completions and units into FILE. The same program gives the same octets. Needs cargo-deb, dpkg-dev and strip.
set -euo pipefail
program=$(realpath "$1")
file=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${3:-$("$program" --version | cut -d' ' -f2)-1}
# What its files are dated to: nothing in it may depend on when it was made.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --file deploy/debian/changelog --show-field Timestamp)
export SOURCE_DATE_EPOCH

rm -rf target/package
mkdir -p target/package/man
install -m 0755 "$program" target/package/gazetteer
strip target/package/gazetteer
target/package/gazetteer man target/package/man
for shell in bash zsh fish; do
  target/package/gazetteer completions "$shell" >"target/package/gazetteer.$shell"
done
cargo deb --quiet --fast --no-build --no-strip --deb-version "$version" --output "$file"
