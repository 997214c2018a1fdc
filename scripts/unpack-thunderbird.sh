#!/usr/bin/env bash
# Unpacks Debian's Thunderbird, a client of the end-to-end tests, into build/peers/thunderbird-root with all it needs that this system lacks, and makes
# build/peers/bin/thunderbird. Nothing is installed. About 80 MB to fetch. Idempotent: does nothing when it is there.
# Without it one test is skipped: what fails here is said, and is no failure (exit 0), unless --strict is given.
# Usage: unpack-thunderbird.sh [--strict]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
peers=$PWD/build/peers
root=$peers/thunderbird-root
strict=no
[ "${1:-}" != --strict ] || strict=yes

fail() {
  echo "unpack-thunderbird.sh: $*; the test with Thunderbird is skipped" >&2
  [ $strict = no ] && exit 0
  exit 1
}

stamp=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
if [ "$(cat "$peers/thunderbird-unpacked" 2>/dev/null)" = "$stamp" ] && [ -x "$peers/bin/thunderbird" ]; then exit 0; fi

# What apt would install: it and the libraries that are missing.
plan() { apt-get install --simulate --no-install-recommends thunderbird 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'; }
mapfile -t wanted < <(plan)
if [ ${#wanted[@]} = 0 ] && dpkg-query -W -f '${db:Status-Status}' thunderbird 2>/dev/null | grep -qx installed; then
  wanted=(thunderbird)
fi
[ ${#wanted[@]} -gt 0 ] || fail "apt-get knows no thunderbird; its package lists may be missing"

echo "Unpacking a mail client for tests into build/peers/thunderbird-root (not installed): ${wanted[*]}"
rm -rf "$root" "$peers/thunderbird-unpacked" "$peers/thunderbird-packages"
mkdir -p "$root" "$peers/bin" "$peers/thunderbird-packages"
(cd "$peers/thunderbird-packages" && timeout 600 apt-get -qq -o APT::Sandbox::User="$(id -un)" download "${wanted[@]}") ||
  fail "apt-get could not download ${wanted[*]}"
for package in "$peers"/thunderbird-packages/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$peers/thunderbird-packages"

library_path=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
program=$root/usr/lib/thunderbird/thunderbird-bin
[ -x "$program" ] || fail "the package has no usr/lib/thunderbird/thunderbird-bin"
lacking=$(LD_LIBRARY_PATH=$library_path:$(dirname "$program") ldd "$(dirname "$program")/libxul.so" | sed -n 's/=> not found//p' | xargs)
[ -z "$lacking" ] || fail "it lacks $lacking"
printf '#!/bin/sh\n# Made by scripts/unpack-thunderbird.sh.\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$library_path" "$program" >"$peers/bin/thunderbird"
chmod +x "$peers/bin/thunderbird"
echo "$stamp" >"$peers/thunderbird-unpacked"
