#!/usr/bin/env bash
# packaging/systemd/posthorn.service, as systemd reads it: no complaint, and as shut in as it can be. Skipped where there is no systemd-analyze.
# Usage: systemd_test.sh POSTHORN
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v systemd-analyze >/dev/null || exit 77
work=$(mktemp -d /tmp/posthorn-systemd.XXXXXX)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

# The program lies elsewhere before it is installed, and so do its pages.
sed "s|/usr/bin/posthorn|$1|; /^Documentation=/d" packaging/systemd/posthorn.service >"$work/posthorn.service"
said=$(systemd-analyze verify --recursive-errors=no "$work/posthorn.service" 2>&1) || fail "systemd-analyze verify: $said"
[ -z "$said" ] || fail "systemd-analyze verify: $said"

# 0 is shut in completely, 100 not at all; what is left is what a mail server does: the network, and its own files.
if ! said=$(systemd-analyze security --offline=true --threshold=25 --no-pager "$work/posthorn.service" 2>&1); then
  fail "systemd-analyze security: $(tail -1 <<<"$said")"
fi
tail -1 <<<"$said"

# io_uring must be allowed: without it the volume is driven by threads.
filter=$(systemd-analyze syscall-filter @aio)
grep -q io_uring_setup <<<"$filter" || fail "@aio has no io_uring_setup: SystemCallFilter of the unit refuses io_uring"
