"""The few files that make a fresh disk one particular host."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from lab import keys, repository
from lab.model import Host
from lab.outside import files as outside_files
from lab.paths import MACHINE
from lab.services import PROXY, PROXY_PORT
from lab.shared import WORLD

NETWORK_FILE = """[Match]
Name=host0

[Network]
{addresses}LinkLocalAddressing=ipv6
IPv6AcceptRA=no

[Link]
RequiredForOnline=no
"""

APT_PROXY = f"""#!/bin/bash
# Asked by apt, for an address: the lab's package cache, or, should it not answer, through the address translation.
# The lab's own repository is not cached: its packages may change and keep their names.
case "$1" in {repository.ADDRESS}*) echo DIRECT; exit ;; esac
if (exec 3<>/dev/tcp/{MACHINE}/{PROXY_PORT}) 2>/dev/null; then echo {PROXY}; else echo DIRECT; fi
"""


def write(host: Host, folder: Path) -> None:
    """Write `seed-once` (for a fresh disk) and `seed-always` (for each boot) below the folder."""
    for name, files in (("seed-once", _once(host)), ("seed-always", _always(host))):
        target = folder / name
        shutil.rmtree(target, ignore_errors=True)
        for file, (content, mode) in files.items():
            _place(target / file, content, mode)
    home = folder / "seed-always/home/ansible"
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, 1000, 1000)
    home.chmod(0o700)
    (home / ".ssh").chmod(0o700)


def _place(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def _once(host: Host) -> dict[str, tuple[str, int]]:
    search = f"search {host.domain}\n" if host.domain else ""
    return {
        "etc/hostname": (f"{host.name}\n", 0o644),
        "etc/hosts": (hosts_file(host), 0o644),
        "etc/resolv.conf": (f"nameserver {host.site.gateway}\n{search}options timeout:1 attempts:2\n", 0o644),
        "etc/machine-id": (f"{uuid.uuid4().hex}\n", 0o444),
    }


def _always(host: Host) -> dict[str, tuple[str, int]]:
    """Return what belongs to this lab and may have been renewed since the disk was made."""
    own = keys.host_key(host.name)
    return {
        "etc/systemd/network/10-host0.network": (network_file(host), 0o644),
        "usr/local/sbin/tandem-lab-apt-proxy": (APT_PROXY, 0o755),
        "etc/ssh/ssh_host_ed25519_key": (own.read_text(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (Path(f"{own}.pub").read_text(), 0o644),
        "home/ansible/.ssh/authorized_keys": (Path(f"{keys.user_key()}.pub").read_text(), 0o600),
        **(outside_files(str(host.address)) if host.name == WORLD else {}),
    }


def hosts_file(host: Host) -> str:
    """Return /etc/hosts with the full name first: it answers reverse look-ups, where programs expect it."""
    own = "".join(f"{address} {' '.join(host.names)}\n" for address in host.addresses)
    return f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{own}"


def network_file(host: Host) -> str:
    """Return the static network configuration; no duplicate address detection, so that IPv6 works at once."""
    lines = [f"Address={host.address}/{host.site.network.prefixlen}\n", f"Gateway={host.site.gateway}\n"]
    if host.address6 and host.site.network6:
        lines.append(f"Gateway={host.site.gateway6}\n")
    text = NETWORK_FILE.format(addresses="".join(lines))
    if host.address6 and host.site.network6:
        six = f"{host.address6}/{host.site.network6.prefixlen}"
        text += f"\n[Address]\nAddress={six}\nDuplicateAddressDetection=none\n"
    return text
