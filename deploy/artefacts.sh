#!/usr/bin/env bash
# Makes everything that is shipped, but the image's archive, into FOLDER. Needs what the scripts beside it need.
set -euo pipefail
folder=$(realpath -m "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$folder/man"
"$here/programs.sh" "$folder"
"$folder/gazetteer" man "$folder/man"
"$folder/gazetteer" schema >"$folder/gazetteer.schema.json"
for shell in bash zsh fish; do
  "$folder/gazetteer" completions "$shell" >"$folder/gazetteer.$shell"
done
"$here/package.sh" "$folder/gazetteer" "$folder/gazetteer.deb"
"$here/image.sh" "$folder/gazetteer-static" "$folder/image"
"$here/sbom.sh" "$folder/gazetteer.cdx.json"
