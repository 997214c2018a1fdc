#!/usr/bin/env bash
# libmffs: installed from BUILD into a folder of its own, then found, linked and run by a project outside of this one.
# Usage: libmffs_test.sh BUILD CXX_COMPILER
set -euo pipefail
build=$1
compiler=$2
scratch=$(mktemp -d "$build/libmffs.XXXXXX")  # Not in /tmp, which may be a tmpfs, without O_DIRECT.
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

cmake --install "$build" --component mffs --prefix "$scratch/prefix" >/dev/null
! grep -rqF "$PWD" "$scratch/prefix/lib/cmake" || fail "the CMake package names the checkout"
# Copied, so that no header is found by way of the checkout.
cp -r examples/mffs_example "$scratch/project"
cmake -S "$scratch/project" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)" -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build" >/dev/null || { cmake --build "$scratch/build"; fail "the example cannot be built"; }
"$scratch/build/mffs_example" "$scratch/volume.mffs" >"$scratch/output" || fail "the example ended with $?"

expected=$'read record 1: a, one\nread record 2: b, two\nfound record 1: released\nfound record 2: live'
[ "$(cat "$scratch/output")" = "$expected" ] || fail "the example printed: $(cat "$scratch/output")"
[ "$(wc -l <examples/mffs_example/main.cc)" -le 65 ] || fail "the example is longer than an example should be"
! "$scratch/build/mffs_example" 2>/dev/null || fail "without a file the example should fail"
echo "libmffs: installed, linked by an outside project, run"
