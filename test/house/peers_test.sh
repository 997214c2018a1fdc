#!/usr/bin/env bash
# The unpacked peers run: smtp-source sends to smtp-sink on loopback, and (as root) Postfix delivers into its maildirs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=build/peers/bin
work=$(mktemp -d /tmp/posthorn-peers.XXXXXX)
chmod 755 "$work"
sink=
postfix=no
stop() {
  if [ -n "$sink" ]; then kill "$sink"; fi
  if [ $postfix = yes ]; then scripts/peer-postfix.sh stop "$work/postfix"; fi
  rm -rf "$work"
}
trap stop EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

port=$(free_port)
as=()
[ "$(id -u)" != 0 ] || as=(-u nobody)
"$bin/smtp-sink" "${as[@]}" -c "127.0.0.1:$port" 100 >"$work/sink" 2>&1 &
sink=$!
# The sink takes a moment to listen; the loop bounds how long.
for attempt in $(seq 50); do
  if "$bin/smtp-source" -s 5 -m 200 -f from@src.test -t user@bench.test "127.0.0.1:$port" 2>"$work/source"; then break; fi
  [ "$attempt" -lt 50 ] || fail "smtp-source: $(cat "$work/source")"
  sleep 0.1
done
echo "smtp-source sent 200 mails to smtp-sink"

if [ "$(id -u)" != 0 ]; then
  echo "not root: Postfix is left out"
  exit 0
fi
port=$(free_port)
scripts/peer-postfix.sh start "$work/postfix" "$port" 10
postfix=yes
"$bin/smtp-source" -s 5 -m 30 -N -f from@src.test -t user@bench.test "127.0.0.1:$port"
"$bin/smtp-source" -s 1 -m 1 -f from@src.test -t user3@bench.test "127.0.0.1:$port"
delivered() { find "$work"/postfix/mail/*/new -ignore_readdir_race -type f | wc -l; }
# A mail is in its maildir a moment before it leaves the queue.
for attempt in $(seq 200); do
  if [ "$(delivered)" = 31 ] && [ "$(scripts/peer-postfix.sh left "$work/postfix")" = 0 ]; then break; fi
  [ "$attempt" -lt 200 ] || fail "$(delivered) of 31 mails delivered: $(tail -n 5 "$work/postfix/log/mail.log")"
  sleep 0.1
done
[ "$(find "$work/postfix/mail/user3/new" -type f | wc -l)" = 4 ] || fail "user3 has not its three numbered mails and its own"
if "$bin/smtp-source" -m 1 -f from@src.test -t nobody@bench.test "127.0.0.1:$port" 2>/dev/null; then fail "an unknown user is accepted"; fi
echo "Postfix delivered 31 mails into 10 maildirs"
