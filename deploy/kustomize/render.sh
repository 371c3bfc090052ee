#!/usr/bin/env bash
# Writes the base: the chart rendered with its default values, by the helm of $HELM or of the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
{
  echo "# The chart rendered with its default values, by \`just kustomize\`; not edited by hand."
  "${HELM:-helm}" template gazetteer ../chart --skip-tests
} >base/gazetteer.yaml.new
mv base/gazetteer.yaml.new base/gazetteer.yaml
