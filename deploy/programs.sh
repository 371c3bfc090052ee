#!/usr/bin/env bash
# Builds the programs that are shipped into FOLDER: `gazetteer`, for the package, and `gazetteer-static`, for the image,
# which is the same once more linked, with the C library in it. Both hold the list of their crates. Needs cargo-auditable.
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
built="${CARGO_TARGET_DIR:-target}/release/gazetteer"
mkdir -p "$folder"
cargo auditable build --release --locked --bin gazetteer
install -m 0755 "$built" "$folder/gazetteer"
cargo auditable rustc --release --locked --bin gazetteer -- -C target-feature=+crt-static
install -m 0755 "$built" "$folder/gazetteer-static"
