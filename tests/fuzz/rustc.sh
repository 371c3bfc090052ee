#!/usr/bin/env bash
# The compiler as Cargo calls it: the library of this project alone gets the instruments of libFuzzer,
# so that what it depends on is compiled as for any other build.
set -euo pipefail
flags=()
case " $* " in
*" --crate-name gazetteer "*)
  # What cargo-fuzz passes to a nightly compiler, without a sanitizer: counters of edges and the values
  # of comparisons are LLVM's, and work with a stable one.
  flags=(-Cpasses=sancov-module)
  for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$flag")
  done
  ;;
esac
exec "$@" "${flags[@]}"
