"""The lab's SSH key and its hosts' keys, made once and kept in the user's cache folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lab import shell
from lab.model import Host
from lab.paths import cache, own_cache


def folder() -> Path:
    """Return the folder with the key, the known hosts and each host's own key."""
    return cache() / "ssh"


def user_key() -> Path:
    """Return the private key that Ansible and `./lab/lab ssh` use, making it if needed."""
    return _ensure(user_key_path(), "tandem-lab")


def user_key_path() -> Path:
    """Return where the private key is, or will be."""
    return folder() / "id_ed25519"


def host_key(name: str) -> Path:
    """Return the host's private key; it stays the same when the host is reset."""
    return _ensure(folder() / "hosts" / name, name)


def known_hosts() -> Path:
    """Return the file with all hosts' keys."""
    return own_cache("ssh/known_hosts")


def write_known_hosts(hosts: Iterable[Host]) -> None:
    """List every host by its names and addresses, so that SSH can stay strict."""
    lines = []
    for host in hosts:
        public = Path(f"{host_key(host.name)}.pub").read_text().split()[:2]
        lines.append(f"{','.join((*host.names, *host.addresses))} {' '.join(public)}\n")
    new = known_hosts().with_suffix(f".{os.getpid()}")
    new.write_text("".join(lines))
    new.rename(known_hosts())


def options() -> list[str]:
    """Return the options for ssh: only this key, only these hosts, no waiting."""
    return [
        "-o", f"UserKnownHostsFile={known_hosts()}",
        "-o", "StrictHostKeyChecking=yes",
        "-o", "IdentitiesOnly=yes",
        "-o", "ConnectTimeout=5",
    ]  # fmt: skip


def _ensure(path: Path, comment: str) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shell.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)
    return path
