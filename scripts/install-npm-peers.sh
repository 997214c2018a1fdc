#!/usr/bin/env bash
# Installs the mail clients of the npm registry that tests use as peers (test/e2e/npm/package.json) into build/peers/npm.
# Nothing is installed in the system. Idempotent: does nothing when build/peers/npm has what the lock file names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=$PWD/test/e2e/npm
target=$PWD/build/peers/npm

fail() {
  echo "install-npm-peers.sh: $*" >&2
  exit 1
}

stamp=$(cat "$source/package.json" "$source/package-lock.json" | sha256sum | cut -c1-16)
if [ "$(cat "$target/installed" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
command -v npm >/dev/null || fail "npm is missing; on Debian: apt-get install --no-install-recommends nodejs npm"

echo "Installing npm peers into build/peers/npm: $(sed -n '/"dependencies"/,/}/s/^ *"\([a-z]*\)".*/\1/p' "$source/package.json" | grep -v dependencies | xargs)"
rm -rf "$target"
mkdir -p "$target"
cp "$source/package.json" "$source/package-lock.json" "$target"
log=$target/npm.log
(cd "$target" && npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1) ||
  fail "npm ci failed; its own words are in $log (the registry that npm is set up with must be reached)"
echo "$stamp" >"$target/installed"
