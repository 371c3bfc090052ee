#!/usr/bin/env bash
# Builds the peers that the `real` tests run against, from their pinned Go modules, into a folder
# outside the clone that is keyed on the sums of those modules, and prints that folder.
# A second run with the same sums builds nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sums=$(cat "$here"/go/*/go.mod "$here"/go/*/go.sum "$here"/go/coredns/main.go "$0" | sha256sum | cut -c1-16)
bin="${XDG_CACHE_HOME:-$HOME/.cache}/gazetteer/real-$sums"

if [ ! -e "$bin/complete" ]; then
  mkdir -p "$bin"
  export CGO_ENABLED=0 GOFLAGS="-trimpath -p=2 -mod=readonly -buildvcs=false"
  version=k8s.io/component-base/version
  stamp="-X $version.gitVersion=v1.35.4 -X $version.gitMajor=1 -X $version.gitMinor=35"
  (
    cd "$here/go/k8s"
    go build -ldflags "-s -w $stamp" -o "$bin/" \
      k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager \
      k8s.io/kubernetes/cmd/kubectl
    cd ../etcd && go build -ldflags "-s -w" -o "$bin/etcd" go.etcd.io/etcd/server/v3
    cd ../coredns && go build -ldflags "-s -w" -o "$bin/coredns" .
    cd ../helm && go build -ldflags "-s -w" -o "$bin/" helm.sh/helm/v3/cmd/helm
  ) >&2
  touch "$bin/complete"
fi
echo "$bin"
