"""One host's life: boot, orderly stop, power loss, and commands run inside it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab import base, cgroups, disk, network, seed, shell
from lab.errors import LabError
from lab.model import Host
from lab.paths import NAME, SCRIPTS, disk_image, host_run
from lab.registry import Record

Command = str | Sequence[str]

NSPAWN = Path("/run/systemd/nspawn")

ANSWER_SECONDS = 120.0
"""A host answers after one to three seconds on a machine that has nothing else to do."""

STOP_SECONDS = 90.0
"""As long as systemd itself gives a service to stop."""


def running(name: str) -> bool:
    """Say whether any process of the host lives."""
    return cgroups.populated(name)


def boot(record: Record) -> bool:
    """Start the host if it does not run, with a fresh disk if it has none. Returns whether it was started.

    It does not wait for the host to answer: see `await_answer`. Call with the host's lock held.
    """
    host, image, run = record.host, disk_image(record.name), host_run(record.name)
    if running(host.name):
        return False
    below = base.folder(record.base)
    if not below.is_dir():
        raise LabError(
            f"the base image {record.base} below {host.name}'s disk is gone", f"./lab/lab reset {host.name}"
        )
    network.forget_wire(host)
    disk.await_release(image)
    if not image.exists():
        disk.create(image, host.disk)
    run.mkdir(parents=True, exist_ok=True)
    for rest in ("pid", "failed"):
        (run / rest).unlink(missing_ok=True)
    seed.write(host, run)
    close_stale_connections(host)
    with (run / "console.log").open("wb") as console:
        # setsid --fork: the host outlives this command and is nobody's child.
        subprocess.run(
            ["setsid", "--fork", "unshare", "--mount", "--propagation", "private", SCRIPTS / "start-host.sh",
             NAME, run, host.name, host.site.bridge, image, below, cgroups.root()],
            check=True, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
        )  # fmt: skip
    _await_start(host.name)
    return True


def _await_start(name: str, seconds: float = 30) -> None:
    """Wait until the host is in its control group: only then does it count as running, for other commands too."""
    deadline = time.monotonic() + seconds
    while not running(name):
        if (host_run(name) / "failed").exists() or time.monotonic() > deadline:
            raise LabError(
                f"{name} could not be started; console:\n{console_tail(name)}",
                f"./lab/lab reset {name} gives it a fresh disk; ./lab/lab down and up start everything anew",
            )
        time.sleep(0.01)


def await_answer(host: Host, seconds: float = ANSWER_SECONDS) -> None:
    """Wait until users can log in by SSH. Raises LabError with the last console lines when they can't."""
    deadline = time.monotonic() + seconds
    while not answers(host):
        if not running(host.name):
            raise LabError(
                f"{host.name} does not run; console:\n{console_tail(host.name)}",
                f"./lab/lab boot {host.name}",
            )
        if time.monotonic() > deadline:
            raise LabError(
                f"{host.name} does not answer SSH in {seconds:.0f} s; console:\n{console_tail(host.name)}",
                f"./lab/lab logs {host.name}; ./lab/lab reset {host.name} gives it a fresh disk",
            )
        time.sleep(0.05)


def answers(host: Host) -> bool:
    """Say whether sshd greets, and systemd lets users in (until then /run/nologin is there)."""
    leader = find_leader(host.name)
    if leader is None or Path(f"/proc/{leader}/root/run/nologin").exists():
        return False
    try:
        with socket.create_connection((str(host.address), 22), timeout=1) as connection:
            connection.settimeout(1)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def stop(host: Host, seconds: float = STOP_SECONDS) -> bool:
    """Shut the host down in good order. Returns whether it ran."""
    if not running(host.name):
        cgroups.remove(host.name)
        return False
    supervisor = _supervisor(host.name)
    if supervisor is not None:
        os.kill(supervisor, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while running(host.name) and time.monotonic() < deadline:
            time.sleep(0.02)
    if running(host.name):
        cgroups.kill(host.name)
        clear(host)
        raise LabError(
            f"{host.name} did not stop in {seconds:.0f} s and was killed; console:\n{console_tail(host.name)}",
            f"./lab/lab boot {host.name}, then ./lab/lab logs {host.name} shows what did not end",
        )
    clear(host)
    return True


def kill(host: Host) -> None:
    """Let the host lose its power: first the wire, or its dying sockets would say goodbye."""
    network.unplug(host)
    cgroups.kill(host.name)
    clear(host)


def lose_power(host: Host) -> None:
    """Like `kill`, and everything that was not synced to disk is gone."""
    supervisor = _supervisor(host.name)
    if supervisor is None:
        raise LabError(f"{host.name} does not run", f"./lab/lab boot {host.name}")
    network.unplug(host)
    disk.lose_power(_mounted_disk(host.name, supervisor))
    kill(host)


def trim(host: Host) -> None:
    """Give the space of the running host's deleted files back to the machine."""
    supervisor = _supervisor(host.name)
    if supervisor is not None:
        disk.trim(_mounted_disk(host.name, supervisor))


def _mounted_disk(name: str, supervisor: int) -> Path:
    """Return the host's mounted disk, which only processes of its mount namespace see."""
    return Path(f"/proc/{supervisor}/root{host_run(name)}/disk")


def clear(host: Host) -> None:
    """Wait for the rest of a host that has ended: its group, its wire and its disk's loop device."""
    cgroups.remove(host.name)
    network.forget_wire(host)
    disk.await_release(disk_image(host.name))
    forget_at_nspawn(host.name)


def forget_at_nspawn(name: str) -> None:
    """Remove the empty folders that systemd-nspawn keeps for a machine of that name."""
    for folder in ("unix-export", "propagate"):
        shutil.rmtree(NSPAWN / folder / name, ignore_errors=True)


def inside(name: str, command: Command, user: str | None = None) -> list[str]:
    """Return the argument list that runs a command in the host, without the network.

    A string is run by the host's shell; a sequence is run as it is. Default user: root.
    """
    leader = find_leader(name)
    if leader is None:
        raise LabError(f"{name} does not run", f"./lab/lab boot {name}")
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    # A command that is killed on this side (by a timeout, say) must not go on in the host.
    words = ["setpriv", "--pdeathsig", "KILL", *words]
    if user:
        words = ["runuser", "-u", user, "--", *words]
    home = "HOME=/root" if user is None else f"HOME=/home/{user}"
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    enter = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]
    return [*enter, "env", "-i", path, home, "LANG=C.UTF-8", *words]


def run(
    name: str,
    command: Command,
    user: str | None = None,
    stdin: str | None = None,
    timeout: float | None = 60,
    check: bool = True,
) -> shell.Result:
    """Run a command in the host and return its result; see `inside`. `timeout` is in seconds."""
    result = shell.run(*inside(name, command, user), stdin=stdin, check=False, timeout=timeout)
    if check and result.returncode:
        words = [command] if isinstance(command, str) else [shlex.join(command)]
        raise shell.failure([f"{name}:", *words], result)
    return result


def find_leader(name: str) -> int | None:
    """Return the process id, on this machine, of the host's PID 1; None while it does not run."""
    supervisor = _supervisor(name)
    if supervisor is None:
        return None
    try:
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    except OSError:
        return None
    for child in children:
        try:
            status = Path(f"/proc/{child}/status").read_text()
        except OSError:
            continue
        if any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()):
            return int(child)
    return None


def console_tail(name: str, lines: int = 15) -> str:
    """Return the last lines that the host wrote to its console."""
    log = host_run(name) / "console.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "(nothing)"


def close_stale_connections(host: Host) -> None:
    """End Ansible's kept-open SSH connections to an earlier life of this host: they would hang, not fail."""
    for control in (Path.home() / ".ansible" / "cp").glob(f"{host.address}-*"):
        shell.run(
            "ssh", "-o", f"ControlPath={control}", "-O", "exit", str(host.address), check=False, timeout=5
        )


def _supervisor(name: str) -> int | None:
    """Return the id of the host's systemd-nspawn process."""
    try:
        process = int((host_run(name) / "pid").read_text())
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return process if f"--machine={name}".encode() in words else None
