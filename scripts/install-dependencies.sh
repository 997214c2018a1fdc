#!/usr/bin/env bash
# Installs what Posthorn needs to be built, tested, linted and measured: Debian 12 packages only.
# Idempotent: one dpkg-query call when nothing is missing. Needs root or sudo only when something is.
# No server is installed: servers that tests use as peers are unpacked by scripts/unpack-peers.sh, beside the system.
# Usage: install-dependencies.sh [--list] [build|test|lint|bench|deb ...]   (no group: all of them)
set -euo pipefail

# group  package  why. A library stands here when cmake/dependencies.cmake asks for it.
packages() {
  cat <<'TABLE'
build  clang-19              the compiler (g++ 12 miscompiles coroutines)
build  lld-19                the linker
build  llvm-19               symbols in crash and sanitizer reports
build  libclang-rt-19-dev    sanitizers and libFuzzer
build  cmake                 the build
build  ninja-build           the build
build  ccache                a second build takes seconds
build  pkg-config            finds the libraries
build  libboost1.81-dev      network and coroutines (Asio), HTTP (Beast)
build  libboost-json1.81-dev JSON
build  libfmt-dev            text formatting
build  libspdlog-dev         the log's file writing
build  libtomlplusplus-dev   the configuration file
build  libcli11-dev          the command line
build  liburing-dev          the disk (io_uring)
build  librocksdb-dev        the mailbox index
build  libssl-dev            TLS and digests
build  libgmime-3.0-dev      MIME text and character sets
build  libidn2-dev           international domain names
build  libunbound-dev        DNS
build  dns-root-data         the DNS root: where it is, and the key that signs it
build  libicu-dev            Unicode
build  libcrypt-dev          password hashes
build  libgtest-dev          the tests of each module
build  libgmock-dev          the tests of each module
test   curl                  client of the end-to-end tests: SMTP, IMAP, POP3, HTTP
test   swaks                 client of the end-to-end tests: SMTP
test   libnet-ssleay-perl    STARTTLS for swaks
test   msmtp                 client of the end-to-end tests: submission
test   mpop                  client of the end-to-end tests: POP3
test   isync                 client of the end-to-end tests: mbsync
test   neomutt               client of the end-to-end tests: IMAP in a terminal
test   libsasl2-modules      SASL for mbsync: PLAIN, SCRAM-SHA-256
test   openssl               client of the end-to-end tests: s_client
test   python3               the end-to-end tests; smtplib, poplib, imaplib
test   procps                process figures in tests
test   iproute2              sockets and network namespaces in tests
test   e2fsprogs             volumes on ext4
test   xfsprogs              volumes on XFS
test   mount                 loop devices and private mounts in tests
test   chromium              the queue's page in a browser
test   nodejs                clients of the end-to-end tests from npm: imapflow, nodemailer; drives the browser
test   npm                   fetches those: scripts/install-npm-peers.sh
test   man-db               the manual pages, as a reader sees them
test   mandoc               the manual pages, checked
deb    dpkg-dev             make deb
deb    debhelper            make deb
deb    lintian              make deb-test: the package's rules
deb    debootstrap          make deb-test: a system to install it in
lint   clang-tidy-19         coroutine and other checks
lint   clang-format-19       one format
lint   python3               the checks in tools/
bench  curl                  metrics while a benchmark runs
bench  fio                   the limit of the disk
bench  libsqlite3-dev        a peer of the volume
bench  linux-perf            where the processor time goes
bench  python3               the benchmarks' programs
bench  procps                processor time a mail
TABLE
}

fail() {
  echo "install-dependencies.sh: $*" >&2
  exit 1
}

list=no
groups=()
for argument in "$@"; do
  case $argument in
    --list) list=yes ;;
    build | test | lint | bench | deb) groups+=("$argument") ;;
    *) fail "unknown argument '$argument'; give --list or any of: build test lint bench deb" ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build test lint bench deb)

wanted=()
declare -A row_of
while read -r group package why; do
  case " ${groups[*]} " in *" $group "*) ;; *) continue ;; esac
  if [ $list = yes ]; then
    printf '%-6s %-22s %s\n' "$group" "$package" "$why"
  elif [ -z "${row_of[$package]:-}" ]; then
    row_of[$package]=$(printf '%-6s %-22s %s' "$group" "$package" "$why")
    wanted+=("$package")
  fi
done < <(packages)
[ $list = no ] || exit 0

command -v dpkg-query >/dev/null || fail "this is not a Debian system; on Debian 12 this script installs the packages that '$0 --list' names"
# dpkg-query exits 1 when it does not know a package, which only means that it is missing.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/ installed$//p' || true)
missing=()
for package in "${wanted[@]}"; do
  # A nodejs that is not Debian's brings npm along, and cannot stand beside Debian's.
  if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
  case $'\n'$installed$'\n' in *$'\n'"$package"$'\n'*) ;; *) missing+=("$package") ;; esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Posthorn needs ${#missing[@]} Debian packages that are not installed (${groups[*]}):"
for package in "${missing[@]}"; do echo "  ${row_of[$package]}"; done

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || fail "installing needs root; run this as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"; }

echo "Reading the package lists, then installing."
apt update || fail "apt-get update failed; check the network and /etc/apt/sources.list, then run this again"
apt install -y --no-install-recommends "${missing[@]}" >/dev/null ||
  fail "apt-get could not install the packages above; its own message stands before this line (Debian 12 with updates is needed)"
echo "Installed ${#missing[@]} packages."
