#!/usr/bin/env bash
# Puts the packages of the npm registry that tests use into build/peers/npm: nothing is installed on the system, no
# package's install script is run. Idempotent: does nothing when build/peers/npm has these versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/build/peers/npm

# package@version, exact, for Debian 12's nodejs (18).
packages=(
  playwright-core@1.56.1 # drives Debian's Chromium in test/e2e/queue_page_test.py
)

fail() {
  echo "npm-peers.sh: $*" >&2
  exit 1
}

if [ "$(cat "$folder/unpacked" 2>/dev/null)" = "${packages[*]}" ]; then exit 0; fi
command -v npm >/dev/null || fail "there is no program npm; run scripts/install-dependencies.sh test"
echo "Fetching test peers into build/peers/npm (not installed): ${packages[*]}"
rm -rf "$folder"
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "${packages[@]}" >/dev/null ||
  fail "npm could not fetch ${packages[*]}; its own message stands before this line"
echo "${packages[*]}" >"$folder/unpacked"
