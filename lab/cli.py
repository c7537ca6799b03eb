"""The command line of the lab: one function per verb."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import console, keys, machine, registry
from lab.core import Lab
from lab.errors import LabError

Arguments = argparse.Namespace


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        result: int | None = arguments.action(Lab(arguments.inventory), arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="A lab of booted Debian hosts on this machine. lab/README.md explains every verb.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: str, action: Callable[[Lab, Arguments], int | None], *words: str
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=(action.__doc__ or "").strip())
        sub.add_argument("-i", "--inventory", action="append", type=Path, default=[], metavar="INVENTORY")
        for word in words:
            sub.add_argument(word.rstrip("*+"), nargs=word[-1] if word[-1] in "*+" else None)
        sub.set_defaults(action=action)
        return sub

    verb("up", _up, "hosts*")
    verb("down", _down)
    verb("reset", _reset, "hosts*")
    verb("save", _save, "name")
    verb("load", _load, "name")
    verb("status", _status)
    verb("env", _env).add_argument("--json", action="store_true", help="as JSON (the only form there is)")
    verb("stop", _stop, "hosts+")
    verb("boot", _boot, "host")
    verb("kill", _kill, "host")
    verb("power-loss", _power_loss, "host")
    verb("cut", _cut, "site")
    verb("blackout", _blackout, "site")
    verb("cut-link", _cut_link, "one", "other")
    verb("isolate", _isolate, "host")
    verb("heal", _heal)
    verb("ssh", _ssh, "host").add_argument("command", nargs=argparse.REMAINDER)
    verb("run", _run, "host").add_argument("command", nargs=argparse.REMAINDER)
    verb("logs", _logs, "host").add_argument(
        "options", nargs=argparse.REMAINDER, help="options of journalctl"
    )
    verb("forget", _forget, "hosts+")
    verb("clean", _clean).add_argument("--all", action="store_true", help="base image, packages and key, too")
    return parser


def _up(lab: Lab, arguments: Arguments) -> None:
    """Boot the inventory's hosts (or the named ones) and wait until they answer."""
    lab.up(*arguments.hosts)


def _down(lab: Lab, arguments: Arguments) -> None:
    """Stop all hosts and take the lab away; disks and snapshots stay."""
    lab.down()


def _clean(lab: Lab, arguments: Arguments) -> None:
    """Take the lab away with its disks and snapshots."""
    lab.clean(everything=arguments.all)


def _save(lab: Lab, arguments: Arguments) -> None:
    """Keep all disks under a name."""
    lab.save(arguments.name)


def _load(lab: Lab, arguments: Arguments) -> None:
    """Bring the disks of that name back."""
    lab.load(arguments.name)


def _status(lab: Lab, arguments: Arguments) -> None:
    """Show hosts, cuts and snapshots."""
    print(console.status_text(lab))


def _env(lab: Lab, arguments: Arguments) -> None:
    """Print hosts, sites, addresses, URLs and SSH options as JSON."""
    print(json.dumps(lab.env(), indent=2))


def _reset(lab: Lab, arguments: Arguments) -> None:
    """Boot hosts with fresh disks."""
    lab.reset(*arguments.hosts)


def _stop(lab: Lab, arguments: Arguments) -> None:
    """Shut hosts down in good order."""
    lab.stop(*arguments.hosts)


def _boot(lab: Lab, arguments: Arguments) -> None:
    """Boot a host with the disk that it has."""
    lab.boot(arguments.host)


def _kill(lab: Lab, arguments: Arguments) -> None:
    """Take a host's power away."""
    lab.kill(arguments.host)


def _power_loss(lab: Lab, arguments: Arguments) -> None:
    """Take a host's power away, and with it all data that was not synced."""
    lab.power_loss(arguments.host)


def _cut(lab: Lab, arguments: Arguments) -> None:
    """Cut a site from the other sites; users still reach it."""
    lab.cut(arguments.site)


def _blackout(lab: Lab, arguments: Arguments) -> None:
    """Cut a site from everyone, users too."""
    lab.blackout(arguments.site)


def _cut_link(lab: Lab, arguments: Arguments) -> None:
    """Cut the link between two sites."""
    lab.cut_link(arguments.one, arguments.other)


def _isolate(lab: Lab, arguments: Arguments) -> None:
    """Cut a host from everyone."""
    lab.isolate(arguments.host)


def _heal(lab: Lab, arguments: Arguments) -> None:
    """Undo every cut."""
    lab.heal()


def _ssh(lab: Lab, arguments: Arguments) -> int:
    """Log in to a host as the user Ansible uses."""
    host = registry.get(arguments.host).host
    words = [
        "ssh",
        "-i",
        str(keys.user_key()),
        *keys.options(),
        f"ansible@{host.address}",
        *arguments.command,
    ]
    return subprocess.call(words)


def _logs(lab: Lab, arguments: Arguments) -> int:
    """Show a host's journal; options go to journalctl."""
    return console.show_logs(registry.get(arguments.host).name, arguments.options)


def _forget(lab: Lab, arguments: Arguments) -> None:
    """Stop hosts and remove their disks."""
    lab.forget(*arguments.hosts)


def _run(lab: Lab, arguments: Arguments) -> int:
    """Run a command in a host as root, not over its network."""
    words = machine.inside(registry.get(arguments.host).name, arguments.command or ["bash"])
    return subprocess.call(["setpriv", "--pdeathsig", "KILL", *words])  # ends with this program
