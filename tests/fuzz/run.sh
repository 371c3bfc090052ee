#!/usr/bin/env bash
# Builds the fuzz targets with the stable toolchain and runs each for some seconds, two at a time:
# run.sh [SECONDS [TARGET...]]. Seeds are the queries and GeoIP databases of the case files, the
# configurations and facts of their worlds and of the example, the state folder of an older version,
# and tests/fuzz/seeds. A finding fails, and its input stays in tests/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(parse_query respond files state command geoip watch kubeconfig)
here=$PWD/tests/fuzz
# In memory, if the machine has such a place: one target writes and reads files.
memory=${TMPDIR:-/tmp}
[ ! -w /dev/shm ] || memory=/dev/shm
work=$(mktemp -d -p "$memory")
runs=()

# Ends what still runs.
finish() {
  [ "${#runs[@]}" -eq 0 ] || kill "${runs[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Dependencies are of the same versions and in the same place as those of the program.
cp Cargo.lock "$here/Cargo.lock"
target=${CARGO_TARGET_DIR:-$PWD/target}
bins=()
for name in "${targets[@]}"; do
  bins+=(--bin "$name")
done
CARGO_INCREMENTAL=0 RUSTC_WRAPPER="$here/rustc.sh" cargo build --quiet --manifest-path "$here/Cargo.toml" --target-dir "$target" "${bins[@]}"

# Seeds.
mkdir -p "$work"/{cases,parse_query,respond,files,state,command,geoip,watch,kubeconfig} "$here/artifacts"
GAZETTEER_SEEDS="$work/cases" cargo test --locked --quiet --target-dir "$target" --test cases
cp "$work"/cases/queries/* "$work/parse_query/"
cp "$work"/cases/queries/* "$work/respond/"
cp "$work"/cases/databases/* "$work/geoip/"
cp "$here"/seeds/watch/* "$work/watch/"
cp "$here"/seeds/kubeconfig/* tests/cli/before/kc.yaml "$work/kubeconfig/"
number=0
for file in tests/cases/worlds/*/*.toml zones/*.toml; do
  number=$((number + 1))
  cp "$file" "$work/files/world-$number"
done
# The first octet says which file of a state folder the others are.
for file in tests/cli/before/state/facts/*; do
  case $file in
  *.log | *.log.previous) which=1 ;;
  *.base.previous) which=2 ;;
  */_fleet.base) which=3 ;;
  *) which=0 ;;
  esac
  { printf "\\x0$which" && cat "$file"; } >"$work/state/${file##*/}"
done
{ printf '\x04' && cat tests/cli/before/state/overrides.json; } >"$work/state/overrides"
printf '{"command":"cordon","target":"m1","for_seconds":60}' >"$work/command/cordon"

# Starts one target in the background; its output goes to a file.
start() {
  TMPDIR="$work" "$target/debug/$1" "$work/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
    -artifact_prefix="$here/artifacts/$1-" -print_final_stats=1 >"$work/$1.log" 2>&1 &
  runs+=($!)
}

# Tells what came of a target that ended.
report() {
  local name=$1 status=$2 log="$work/$1.log" edges executions
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log"
    echo "$name: FAILED; repeat it with $target/debug/$name and the file named above"
    return 1
  fi
  edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$name: $executions executions, ${edges:-no edges}"
  # Without instruments the fuzzer would see nothing, and pass.
  [ -n "$edges" ]
}

failed=0
for ((at = 0; at < ${#targets[@]}; at += 2)); do
  pair=("${targets[@]:at:2}")
  runs=()
  for name in "${pair[@]}"; do
    start "$name"
  done
  for index in "${!pair[@]}"; do
    status=0
    wait "${runs[index]}" || status=$?
    report "${pair[index]}" "$status" || failed=1
  done
  runs=()
done
exit "$failed"
