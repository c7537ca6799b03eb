"""The lab's helpers: DNS on every gateway; a package cache and a repository at the machine's end of the wire."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from lab import network, repository, shell
from lab.errors import LabError
from lab.model import Host
from lab.paths import MACHINE, RUN, own_cache

PROXY_PORT = 3142
PROXY = f"http://{MACHINE}:{PROXY_PORT}"
_NAMES = RUN / "dns" / "hosts"
_DNS_CONFIG = RUN / "dns" / "dnsmasq.conf"
_PROXY_CONFIG = RUN / "packages"


def ensure_packages() -> None:
    """Start the package cache and the repository if they do not answer. Call with the lab's lock held."""
    if not _answers():
        _start_packages()
    repository.ensure()


def ensure_dns(hosts: Iterable[Host]) -> None:
    """Tell DNS about all hosts, and start it if it does not run. Call with the lab's lock held."""
    _write_names(hosts)
    _ensure_dns()


def stop() -> None:
    """End them, if they run."""
    for process in processes():
        os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while (left := processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        os.kill(process, signal.SIGKILL)


def processes() -> list[int]:
    """Return the ids of the lab's helpers, found by the configuration they were started with."""
    return [
        *_running("dnsmasq", str(_DNS_CONFIG)),
        *_running("apt-cacher-ng", str(_PROXY_CONFIG)),
        *(process for process, words in command_lines() if repository.is_server(words)),
    ]


def name_lines(hosts: Iterable[Host]) -> str:
    """Return the lines of a hosts file: every host's names, and the public names at every edge."""
    lines = []
    for host in hosts:
        names = " ".join((*host.names, *host.public_names))
        lines += [f"{address} {names}\n" for address in host.addresses]
    return "".join(lines)


def _write_names(hosts: Iterable[Host]) -> None:
    listed = sorted(hosts, key=lambda host: host.name)
    domains = sorted({host.domain for host in listed if host.domain})
    _NAMES.parent.mkdir(parents=True, exist_ok=True)
    _NAMES.write_text(name_lines(listed))
    _DNS_CONFIG.write_text(_dns_config(domains))


def _dns_config(domains: list[str]) -> str:
    lines = [
        "user=nobody",
        "group=nogroup",
        "no-resolv",
        "no-hosts",
        "bind-dynamic",
        "interface=br-*",
        f"addn-hosts={_NAMES}",
        f"pid-file={RUN}/dns/pid",
        "local-ttl=0",
        *(f"local=/{domain}/" for domain in domains),
        *(f"server={server}" for server in _machine_resolvers()),
    ]
    return "\n".join(lines) + "\n"


def _machine_resolvers() -> list[str]:
    """Return resolvers that the lab can reach too: those on this machine's loopback it can't."""
    for file in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if file.is_file():
            found = re.findall(r"^nameserver\s+(\S+)", file.read_text(), re.MULTILINE)
            usable = [server for server in found if not ip_address(server.split("%")[0]).is_loopback]
            if usable:
                return [server for server in usable if "%" not in server]
    return []


def _ensure_dns() -> None:
    """Restart on a changed configuration (a new domain), otherwise only let it read the names again."""
    running = _running("dnsmasq", str(_DNS_CONFIG))
    loaded = RUN / "dns" / "loaded.conf"
    if running and loaded.exists() and loaded.read_text() == _DNS_CONFIG.read_text():
        os.kill(running[0], signal.SIGHUP)
        return
    for process in running:
        os.kill(process, signal.SIGKILL)
        _await_end(process)
    network.inside("setsid", "--fork", "dnsmasq", f"--conf-file={_DNS_CONFIG}")
    loaded.write_text(_DNS_CONFIG.read_text())


def _await_end(process: int) -> None:
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def _start_packages() -> None:
    state = own_cache("packages")
    for directory in (_PROXY_CONFIG, state / "cache", state / "log"):
        directory.mkdir(parents=True, exist_ok=True)
    # No Remap lines: the addresses of the machine's own mirrors are kept as they are.
    upstream = os.environ.get("http_proxy", "")
    (_PROXY_CONFIG / "acng.conf").write_text(
        f"ForeGround: 1\nBindAddress: {MACHINE}\nPort: {PROXY_PORT}\nCacheDir: {state}/cache\n"
        f"LogDir: {state}/log\nPidFile: {_PROXY_CONFIG}/pid\nPassThroughPattern: .*\nExThreshold: 30\n"
        f"ConnectProto: v4 v6\n" + (f"Proxy: {upstream}\n" if upstream else "")
    )
    log = _PROXY_CONFIG / "log"
    shell.run("sh", "-c", f"setsid --fork apt-cacher-ng -c {_PROXY_CONFIG} >{log} 2>&1 </dev/null")
    deadline = time.monotonic() + 10
    while not _answers():
        if time.monotonic() > deadline:
            raise LabError(
                f"the package cache does not answer at {PROXY}: {log.read_text()[-300:]}",
                "free the port, or look into the log, and run ./lab/lab up again",
            )
        time.sleep(0.05)


def _answers() -> bool:
    try:
        with socket.create_connection((MACHINE, PROXY_PORT), timeout=1):
            return True
    except OSError:
        return False


def _running(program: str, configuration: str) -> list[int]:
    return [
        process
        for process, words in command_lines()
        if Path(words[0]).name == program and any(configuration in word for word in words[1:])
    ]


def command_lines() -> list[tuple[int, list[str]]]:
    """Return id and command line of every process on the machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                found.append(
                    (int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace").split("\0"))
                )
    return found
