#!/usr/bin/env bash
# Unpacks the servers that tests and benchmarks use as peers (Postfix with smtp-source and smtp-sink, Dovecot, fail2ban) into
# build/peers/root, with programs to call in build/peers/bin. Nothing is installed and no daemon of the system is touched.
# Idempotent: does nothing when build/peers/unpacked names the same packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
peers=$PWD/build/peers
root=$peers/root

servers=(postfix dovecot-core dovecot-imapd dovecot-lmtpd fail2ban)
# Libraries these servers are linked with that a system may lack; only missing ones are unpacked.
libraries=(libapparmor1 libbz2-1.0 libcap2 libcrypt1 libdb5.3 libexttextcat-2.0-0 libicu72 liblua5.4-0 liblz4-1 liblzma5
  libnsl2 libpam0g libsasl2-2 libsodium23 libssl3 libstemmer0d libsystemd0 libtirpc3 libunwind8 libwrap0 libzstd1 zlib1g)
programs=(usr/sbin/smtp-source usr/sbin/smtp-sink usr/sbin/postfix usr/sbin/postconf usr/sbin/dovecot usr/bin/doveconf usr/bin/doveadm)

fail() {
  echo "unpack-peers.sh: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

stamp="${servers[*]} ${libraries[*]} $(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)"
if [ "$(cat "$peers/unpacked" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${libraries[@]}" 2>/dev/null | sed -n 's/ installed$//p' || true)
wanted=("${servers[@]}")
for library in "${libraries[@]}"; do
  case $'\n'$present$'\n' in *$'\n'"$library"$'\n'*) ;; *) wanted+=("$library") ;; esac
done

echo "Unpacking test peers into build/peers/root (not installed): ${wanted[*]}"
rm -rf "$root" "$peers/bin" "$peers/unpacked"
mkdir -p "$peers/packages" "$root" "$peers/bin"
cd "$peers/packages"
rm -f ./*.deb
download() { apt-get -qq -o APT::Sandbox::User="$(id -un)" download "${wanted[@]}"; }
# The package lists may be absent (a new machine) or older than the mirror's packages: read them once, then try again.
if ! download 2>/dev/null; then
  as_root apt-get -qq update || fail "apt-get update failed; check the network and /etc/apt/sources.list"
  download || fail "apt-get could not download ${wanted[*]}"
fi
for package in ./*.deb; do dpkg -x "$package" "$root"; done
rm -f ./*.deb

library_path=$root/usr/lib/postfix:$root/usr/lib/dovecot:$root/usr/lib/dovecot/modules/old-stats
library_path+=:$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
write_wrapper() { # NAME LINES, the lines of a shell script
  printf '#!/bin/sh\n# Made by scripts/unpack-peers.sh.\nexport LD_LIBRARY_PATH=%s\n%s\n' "$library_path" "$2" >"$peers/bin/$1"
  chmod +x "$peers/bin/$1"
}
for name in smtp-source smtp-sink postfix postconf postmap; do write_wrapper "$name" "exec $root/usr/sbin/$name \"\$@\""; done
write_wrapper doveadm "exec $root/usr/bin/doveadm \"\$@\""
write_wrapper fail2ban-regex "export PYTHONPATH=$root/usr/lib/python3/dist-packages
exec python3 $root/usr/bin/fail2ban-regex \"\$@\""
# Dovecot looks for its programs and modules in folders that no setting changes: it gets a /usr of its own, in a mount namespace.
write_wrapper dovecot "[ \"\$(id -u)\" = 0 ] || { echo 'dovecot changes users and so needs root; run this as root' >&2; exit 1; }
exec unshare --mount --propagation private sh -c 'mount -t overlay overlay -o lowerdir=$root/usr:/usr /usr && exec dovecot \"\$@\"' dovecot \"\$@\""

for program in "${programs[@]}" usr/lib/postfix/sbin/{smtpd,cleanup,virtual,qmgr} usr/lib/dovecot/{imap,lmtp,auth}; do
  lacking=$(LD_LIBRARY_PATH=$library_path ldd "$root/$program" | sed -n 's/=> not found//p' | xargs)
  [ -z "$lacking" ] || fail "$program lacks $lacking; add its package to 'libraries' in this script"
done
echo "$stamp" >"$peers/unpacked"
echo "Test peers are in build/peers/bin: $(ls "$peers/bin" | xargs)"
