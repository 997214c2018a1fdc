#!/usr/bin/env bash
# A Postfix to measure against, run from build/peers/root (scripts/unpack-peers.sh) with all state in DIR:
# mail for user0@bench.test .. userN-1@bench.test is delivered by virtual(8) to DIR/mail/userN/ (Maildir, made beforehand).
# So is mail for Nuser@bench.test, N up to 100 * USERS, into the mailbox of N modulo USERS: `smtp-source -N -t user@bench.test`
# numbers its recipients so, which spreads its load over all mailboxes.
# Listens on 127.0.0.1:PORT only. Needs root (Postfix changes users), but no account or file of the system is made or changed:
# the accounts `daemon` and `mail` that every Debian has stand in for `postfix` and `postdrop`.
# With RELAY_PORT all other mail goes to 127.0.0.1:RELAY_PORT by SMTP.
# Usage: peer-postfix.sh start DIR PORT USERS [RELAY_PORT]
#        peer-postfix.sh left DIR     prints how many mails are in the queue
#        peer-postfix.sh stop DIR     stops it; the files stay
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$here/build/peers/root
bin=$here/build/peers/bin

fail() {
  echo "peer-postfix.sh: $*" >&2
  exit 1
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

write_configuration() { # DIR PORT [RELAY_PORT]
  cat >"$1/etc/main.cf" <<CF
compatibility_level = 3.7
queue_directory = $1/spool
data_directory = $1/data
command_directory = $root/usr/sbin
daemon_directory = $root/usr/lib/postfix/sbin
meta_directory = $1/etc
shlib_directory = $root/usr/lib/postfix
sendmail_path = $root/usr/sbin/sendmail
mailq_path = $root/usr/bin/mailq
newaliases_path = $root/usr/bin/newaliases
manpage_directory = $root/usr/share/man
sample_directory = no
readme_directory = no
html_directory = no
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
mail_owner = daemon
setgid_group = mail
default_privs = nobody
myhostname = peer.test
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = hash:$1/etc/users
virtual_mailbox_base = $1/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
virtual_transport = virtual
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject
default_process_limit = 100
message_size_limit = 52428800
maillog_file = $1/log/mail.log
maillog_file_prefixes = $1/log
${3:+relayhost = [127.0.0.1]:$3}
CF
  # No chroot: its copies of system files would have to be kept.
  sed -e "s/^smtp      inet.*/127.0.0.1:$2 inet n - n - - smtpd/" -e 's/^\([a-z]* *unix *[^ ]* *[^ ]* *\)y/\1n/' \
    "$root/usr/share/postfix/master.cf.dist" >"$1/etc/master.cf"
}

# The maildirs belong to nobody (65534), as virtual_uid_maps says.
make_mailboxes() { # DIR USERS
  awk -v users="$2" 'BEGIN {
    for (n = 0; n < users; n++) printf "user%d@bench.test user%d/\n", n, n
    for (n = 0; n <= 100 * users; n++) printf "%duser@bench.test user%d/\n", n, n % users
  }' >"$1/etc/users"
  "$bin/postmap" -c "$1/etc" "hash:$1/etc/users"
  (cd "$1/mail" && seq -f 'user%.0f' 0 $(($2 - 1)) | xargs -I{} echo {}/cur {}/new {}/tmp | xargs -r mkdir -p)
  chown -R 65534:65534 "$1/mail"
}

start() { # DIR PORT USERS [RELAY_PORT]
  [ -x "$bin/postfix" ] || fail "the peers are not unpacked; run scripts/unpack-peers.sh"
  [ "$(id -u)" = 0 ] || fail "Postfix changes users and so needs root; run this as root"
  [ ! -e "$1/etc" ] || fail "$1 holds a Postfix already; stop it and remove the folder, or give another"
  ! listens "$2" || fail "port $2 is taken; give another"
  mkdir -p "$1"/{etc,spool,data,mail,log}
  chmod 755 "$1"
  runuser -u nobody -- test -x "$1" || fail "the account nobody cannot enter $1; give a folder that all may enter"
  write_configuration "$1" "$2" "${4:-}"
  cp -r "$root"/etc/postfix/{postfix-files,postfix-files.d,postfix-script,post-install,dynamicmaps.cf.d} "$1/etc/"
  cp "$root/usr/share/postfix/dynamicmaps.cf" "$1/etc/"
  make_mailboxes "$1" "$3"
  chown daemon "$1/data"
  "$bin/postfix" -c "$1/etc" start >"$1/log/start" 2>&1 || fail "Postfix did not start: $(tail -n 3 "$1/log/start")"
  for _ in $(seq 100); do
    if listens "$2"; then return 0; fi
    sleep 0.1
  done
  fail "Postfix does not listen on port $2: $(tail -n 3 "$1/log/start" "$1/log/mail.log")"
}

left() { # DIR
  find "$1"/spool/{incoming,active,deferred,maildrop} -ignore_readdir_race -type f | wc -l
}

stop() { # DIR
  "$bin/postfix" -c "$1/etc" stop >>"$1/log/start" 2>&1 || fail "Postfix did not stop: $(tail -n 3 "$1/log/start")"
}

case ${1:-} in
  start)
    [ $# = 4 ] || [ $# = 5 ] || fail "usage: peer-postfix.sh start DIR PORT USERS [RELAY_PORT]"
    start "$(realpath -m "$2")" "$3" "$4" "${5:-}" ;;
  left) [ $# = 2 ] || fail "usage: peer-postfix.sh left DIR"; left "$(realpath "$2")" ;;
  stop) [ $# = 2 ] || fail "usage: peer-postfix.sh stop DIR"; stop "$(realpath "$2")" ;;
  *) fail "usage: peer-postfix.sh start DIR PORT USERS [RELAY_PORT] | left DIR | stop DIR" ;;
esac
