# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Find out which hosts take TCP connections on their SSH port, all at once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SSH_PORT = 22
# Options of ssh that lead through another machine, where a connection from here says nothing.
DETOURS = ("proxycommand", "proxyjump", "-j ", "-w ")
ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
MOST_AT_ONCE = 64

Target = tuple[str, int]


def target_of(name: str, variables: Mapping[str, Any]) -> Target | None:
    """Return the address and port to try, or None for a host that Ansible reaches otherwise."""
    if str(variables.get("ansible_connection") or "ssh") not in {"ssh", "smart", "ansible.builtin.ssh"}:
        return None
    arguments = " ".join(str(variables.get(key) or "") for key in ARGUMENTS).lower()
    if any(detour in arguments for detour in DETOURS):
        return None
    address = variables.get("ansible_host") or name
    port = variables.get("ansible_port") or SSH_PORT
    return str(address), int(port)


def unreachable(targets: Mapping[str, Target], timeout: float) -> dict[str, str]:
    """Return the hosts that do not answer and why, in the order of `targets`. `timeout` is in seconds."""
    if not targets:
        return {}
    with ThreadPoolExecutor(max_workers=min(len(targets), MOST_AT_ONCE)) as pool:
        reasons = list(pool.map(lambda target: _refusal(target, timeout), targets.values()))
    return {name: reason for name, reason in zip(targets, reasons, strict=True) if reason}


def _refusal(target: Target, timeout: float) -> str:
    """Return why a connection failed, or an empty string."""
    address, port = target
    try:
        socket.create_connection(target, timeout=timeout).close()
    except TimeoutError:
        return f"no answer from {address} port {port} within {timeout:g} s"
    except OSError as error:
        return f"{address} port {port}: {(error.strerror or str(error)).lower()}"
    return ""
