#!/usr/bin/env bash
# Runs each fuzz target in build/fuzz for SECONDS on its committed corpus (test/corpus/NAME for NAME_fuzz).
# New inputs are kept in build/fuzz/corpus, failing ones in build/fuzz/crashes. Exit code 1 if a target failed.
# Usage: fuzz.sh SECONDS [NAME ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:?usage: fuzz.sh SECONDS [NAME ...]}
shift

targets=()
if [ $# -gt 0 ]; then
  for name in "$@"; do targets+=("build/fuzz/src/${name%_fuzz}_fuzz"); done
else
  mapfile -t targets < <(find build/fuzz -maxdepth 3 -type f -name '*_fuzz' -perm -u+x | sort)
fi
[ ${#targets[@]} -gt 0 ] || { echo "fuzz.sh: no fuzz target is built; run 'make fuzz'" >&2; exit 1; }

export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19
mkdir -p build/fuzz/crashes
failed=()
for target in "${targets[@]}"; do
  name=$(basename "$target" _fuzz)
  seeds=test/corpus/$name
  [ -d "$seeds" ] || { echo "fuzz.sh: $name has no corpus; add seeds to $seeds" >&2; failed+=("$name"); continue; }
  mkdir -p "build/fuzz/corpus/$name"
  log=build/fuzz/$name.log
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$name-" "build/fuzz/corpus/$name" "$seeds" >"$log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, no failure"
  else
    failed+=("$name")
    echo "$name: FAILED; the end of $log:"
    tail -n 40 "$log"
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "fuzz.sh: failed: ${failed[*]}; the inputs are in build/fuzz/crashes"
  exit 1
fi
