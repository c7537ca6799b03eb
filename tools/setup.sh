#!/usr/bin/env bash
# Installs what `make` needs on a fresh Debian machine: Debian packages and a virtual environment from requirements.lock.
# Quick when everything is there already; called by the Makefile.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  apt-cacher-ng apt-utils ca-certificates chromium dnsmasq-base e2fsprogs git gpg gpg-agent iproute2 make mmdebstrap nftables
  fonts-dejavu-core openssh-client postgresql procps python3 python3-venv rabbitmq-server redis-server rsync systemd-container util-linux
)

# npm makes the files for browsers of releases; one from elsewhere does as well, and Debian's could not stand beside it.
command -v npm >/dev/null || packages+=(nodejs npm)

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
if ((${#missing[@]})); then
  if ((EUID)); then
    echo "These Debian packages are missing: ${missing[*]}" >&2
    echo "Install them as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  say "Installing Debian packages: ${missing[*]}"
  # Installing a daemon must not start it: the lab runs its own copies inside its own network.
  guard=$(mktemp -d)
  trap 'rm -rf "$guard"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$guard/policy-rc.d"
  chmod 755 "$guard/policy-rc.d"
  own_policy=
  [ -e /usr/sbin/policy-rc.d ] || { install -m755 "$guard/policy-rc.d" /usr/sbin/policy-rc.d; own_policy=yes; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  [ -z "$own_policy" ] || rm -f /usr/sbin/policy-rc.d
fi

stamp=.venv/.installed
python=${PYTHON:-/usr/bin/python3}
if ! [ -x .venv/bin/python ]; then
  say "Making the virtual environment"
  "$python" -m venv .venv
fi
if ! cmp -s requirements.lock "$stamp"; then
  say "Installing Python dependencies from requirements.lock"
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
  cp requirements.lock "$stamp"
fi

# Only one program of Debian's Prometheus is needed here, to test the alert rules; the package would start a server.
promtool=.cache/promtool
if ! command -v promtool >/dev/null && ! [ -x "$promtool/usr/bin/promtool" ]; then
  say "Fetching promtool"
  # A machine that misses no package may still have no lists of what there is.
  ((${#missing[@]} || EUID)) || apt-get update -qq
  fetched=$(mktemp -d)
  trap 'rm -rf "${guard:-}" "$fetched"' EXIT
  # A package of its own since Debian 13.
  package=$(apt-cache show promtool >/dev/null 2>&1 && echo promtool || echo prometheus)
  (cd "$fetched" && apt-get -o APT::Sandbox::User=root download -qq "$package")
  mkdir -p "$promtool"
  dpkg-deb --fsys-tarfile "$fetched"/*.deb | tar -x -C "$promtool" ./usr/bin/promtool
fi
