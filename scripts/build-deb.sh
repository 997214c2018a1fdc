#!/usr/bin/env bash
# Makes the Debian package build/deb/posthorn_VERSION_ARCH.deb from a built program: build-deb.sh [PROGRAM]
# Nothing is compiled and nothing installed; debhelper strips the program, finds the libraries it needs and packs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/src/posthorn}")
version=$("$program" version | sed -n '1s/^posthorn //p')
# A package that is made later from the same sources must be newer: the commit's time in the version.
stamp=$(git log -1 --format=%ct 2>/dev/null || echo 0)
version=${DEB_VERSION:-$version+$(date -u -d "@$stamp" +%Y%m%d%H%M%S)}

tree=build/deb/posthorn
rm -rf "$tree"
mkdir -p "$tree/staged/docs"
cp -r packaging/debian "$tree/debian"
cp "$program" "$tree/staged/posthorn"
cp packaging/posthorn.toml "$tree/staged/"
cp -r packaging/fail2ban "$tree/staged/"
cp packaging/systemd/posthorn.service "$tree/debian/posthorn.service"
cp docs/cli.md docs/configuration.md docs/metrics.md docs/operations.md "$tree/staged/docs/"
"$program" man "$tree/staged/man"
cat >"$tree/debian/changelog" <<CHANGELOG
posthorn ($version) unstable; urgency=medium

  * Built from commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown).

 -- The Posthorn developers <posthorn@localhost>  $(date -u -R -d "@$stamp")
CHANGELOG
(cd "$tree" && dpkg-buildpackage -b -us -uc >../build.log 2>&1) || {
  tail -30 build/deb/build.log >&2
  echo "build-deb.sh: dpkg-buildpackage failed; build/deb/build.log has all it said" >&2
  exit 1
}
ls "build/deb/posthorn_${version}_"*.deb
