#!/usr/bin/env bash
# Runs benchmarks: each executable bench/NAME.py or bench/NAME.sh, and each build/release/bench/NAME_bench without one.
# A benchmark prints its table and writes bench-results/NAME.jsonl; the bars that do not hold are listed at the end.
# Usage: bench.sh [NAME ...]   (no name: all of them)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints "NAME PROGRAM", one a line; the first program of a name is the one that runs.
programs() {
  find bench -maxdepth 1 -type f \( -name '*.py' -o -name '*.sh' \) -perm -u+x 2>/dev/null | sort |
    sed 's|^bench/\(.*\)\.[a-z]*$|\1 &|'
  find build/release/bench -maxdepth 1 -type f -name '*_bench' -perm -u+x 2>/dev/null | sort |
    sed 's|^build/release/bench/\(.*\)_bench$|\1 &|'
}

all=$(programs | awk '!seen[$1]++')
[ -n "$all" ] || { echo "bench.sh: there is no benchmark in bench/" >&2; exit 1; }
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(cut -d' ' -f1 <<<"$all")

mkdir -p bench-results
failed=()
for name in "${names[@]}"; do
  program=$(awk -v name="$name" '$1 == name {print $2}' <<<"$all")
  [ -n "$program" ] || { echo "bench.sh: no benchmark '$name'; there are: $(cut -d' ' -f1 <<<"$all" | xargs)" >&2; exit 1; }
  echo "== $name ($program)"
  "$program" || failed+=("$name")
done
tools/bench_summary.py "${names[@]}" || failed+=("the bars above")
if [ ${#failed[@]} -gt 0 ]; then
  printf 'bench.sh: did not pass: %s\n' "${failed[@]}"
  exit 1
fi
