#!/usr/bin/env bash
# The manual pages that the program writes: without a warning of man(1) and mandoc(1), one for each command, and with all of --help in them.
# Usage: man_test.sh POSTHORN
set -euo pipefail
program=$1
pages=$(mktemp -d /tmp/posthorn-man.XXXXXX)
trap 'rm -rf "$pages"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

"$program" man "$pages"
"$program" --help >"$pages/help"
! grep -q '^ *man ' "$pages/help" || fail "--help shows the command for makers of packages"

commands=$(sed -n '/^Subcommands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p' "$pages/help")
[ "$(wc -w <<<"$commands")" -ge 8 ] || fail "--help lists only: $commands"
for command in $commands; do [ -s "$pages/posthorn-$command.1" ] || fail "there is no page of $command"; done

for page in "$pages"/*.[15]; do
  name=$(basename "$page")
  said=$(LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
  [ -z "$said" ] || fail "man has something to say about $name: $said"
  said=$(mandoc -Tlint -W warning "$page" 2>&1) || fail "mandoc has something to say about $name: $said"
done

# Each option of --help stands in its page.
for command in $commands; do
  page=$(MANWIDTH=200 LC_ALL=C.UTF-8 man -l "$pages/posthorn-$command.1" | col -b)
  for option in $("$program" "$command" --help | grep -o '^  -[-a-z,]*' | tr -d ' '); do
    grep -q -- "$option" <<<"$page" || fail "posthorn-$command(1) lacks $option"
  done
done
echo "$(ls "$pages"/*.[15] | wc -l) manual pages"
