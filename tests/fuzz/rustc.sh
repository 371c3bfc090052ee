#!/usr/bin/env bash
# The compiler as Cargo calls it: the library of this project and the reader of GeoIP databases get the
# instruments of libFuzzer; what else they depend on is compiled as for any other build.
set -euo pipefail
flags=()
case " $* " in
*" --crate-name gazetteer "* | *" --crate-name maxminddb "*)
  # What cargo-fuzz passes to a nightly compiler, without a sanitizer: counters of edges and the values
  # of comparisons are LLVM's, and work with a stable one.
  flags=(-Cpasses=sancov-module)
  for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$flag")
  done
  ;;
esac
# With it, the library has the readers that fuzz targets call.
case " $* " in
*" --crate-name gazetteer "*) flags+=(--cfg fuzzing) ;;
esac
exec "$@" "${flags[@]}"
