# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Remove what services no longer need on a host, and services that are no longer in the catalog.

What holds data stays: databases, volumes, logs and the Unix user that owns files. Knows nothing of Ansible.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import instances_timers as timers
from . import service_host, service_releases
from .instances_managers import Managers
from .instances_plan import Expected
from .instances_roll import Roller
from .instances_systemd import Instance, Systemd, SystemdError

JOURNALS = Path("/var/log/journal")
RELEASE = re.compile(r"/services/([a-z0-9-]+)/releases/([0-9a-f]+)/")


@dataclass
class Removal:
    """A service that goes: its manifest, and what stays of it with the command that would remove it."""

    name: str
    manifest: dict[str, Any]
    kept: list[str] = field(default_factory=list)


def surplus_services(present: Iterable[str]) -> list[str]:
    """Return the services that were deployed here and are not wanted any more."""
    return sorted(set(service_host.deployed()) - set(present))


def kept(name: str, manifest: dict[str, Any]) -> list[str]:
    """Return what stays of a removed service, one line each, with the command that would remove it."""
    lines = [f"user {manifest['user']} (to remove it: userdel {manifest['user']})"]
    lines += [f"volume {text.split(':')[0]}" for text in manifest.get("volumes", [])]
    if manifest.get("database"):
        database = manifest["database"]
        lines.append(f"database {database} (to remove it, on the primary: drop database {database})")
    lines += [f"logs in {path} (to remove them: rm -r {path})" for path in sorted(JOURNALS.glob(f"*.{name}"))]
    return lines


def remove_service(name: str, roller: Roller) -> Removal:
    """Stop a service and remove its units, settings, credentials and releases; the manifest goes last."""
    manifest = service_host.manifest(name)
    service = Expected.read(manifest)
    found = roller.managers.instances({}, {name: service.manager})[name].instances
    if any(item.running for item in found):
        roller.leave_and_stop(service, [item.number for item in found if item.running])
    if timers.installed(name, roller.managers.systemd):
        timers.remove([name], roller.managers.systemd)
    _remove_units(name, roller.managers)
    Path(f"/etc/systemd/journald@{name}.conf").unlink(missing_ok=True)
    removal = Removal(name, manifest, kept(name, manifest))
    _remove(service_host.SETTINGS / name)
    for path in _orphans():
        _remove(path)
    return removal


def _remove_units(name: str, managers: Managers) -> None:
    for manager in managers:
        manager.remove(name)
    systemd = managers.systemd
    for unit in (f"{name}-migrate.service", f"{name}-queue-length.service"):
        systemd.remove_unit(unit)
    systemd.reload()
    systemd.forget_failures(f"{name}@*.service", f"{name}-migrate.service")
    _stop_logger(name, systemd)


def _stop_logger(name: str, systemd: Systemd) -> None:
    units = [
        f"systemd-journald@{name}.socket",
        f"systemd-journald-varlink@{name}.socket",
        f"systemd-journald@{name}.service",
    ]
    try:
        systemd.call("stop", "--", *units)
    except SystemdError:
        # A namespace that nobody has logged to has no such units.
        return


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def unused(names: Iterable[str], managers: Managers, keep: int) -> list[Path]:
    """Return what nothing needs: revisions, releases beyond the `keep` newest old ones, leftovers.

    A release is needed by the service it was built for and by the service's parts.
    """
    listed = [name for name in names if (service_host.SETTINGS / name / "manifest.json").exists()]
    manifests = {name: service_host.manifest(name) for name in listed}
    wanted = {name: str(manifest.get("manager", "systemd")) for name, manifest in manifests.items()}
    found = managers.instances({}, wanted)
    paths: list[Path] = []
    needed: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for name in listed:
        manifest = manifests[name]
        owner = _owner(manifest)
        running = _running(name, manifest, found[name].instances, managers.systemd)
        if "" in running:
            # Of some process it is not known what it needs.
            unknown.add(owner)
            continue
        left = _left_template(name, wanted[name], managers.systemd)
        paths += left
        needing = [manager for manager in managers if not left or manager is not managers.systemd]
        revisions = running | {manifest["revision"]}
        revisions |= {revision for manager in needing for revision in manager.revisions(name)}
        texts = [service_host.unit_text(name, revision) or "" for revision in revisions]
        needed.setdefault(owner, set()).add(manifest["release"])
        for other, release in RELEASE.findall("\n".join(texts)):
            needed.setdefault(other, set()).add(release)
        folders = (service_host.SETTINGS / name / "revisions").glob("*")
        paths += [path for path in sorted(folders) if path.name not in revisions]
    for owner in sorted(set(needed) - unknown):
        paths += service_releases.superfluous(owner, needed[owner], keep, service_releases.ROOT)
    if not any(manifest.get("autoscale") for manifest in manifests.values()):
        paths += _controller(managers.systemd)
    return [*paths, *_orphans(), *service_releases.leftovers(service_releases.ROOT)]


def _running(name: str, manifest: dict[str, Any], found: Iterable[Instance], systemd: Systemd) -> set[str]:
    """Return the revisions of an entry's processes; "" is one of them when that of some process is not known."""
    running = {item.revision for item in found if item.running}
    if manifest.get("timer"):
        timer = timers.look(name, systemd)
        running |= {timer.revision} if timer.pid else set()
    return running


def _owner(manifest: dict[str, Any]) -> str:
    """Return the service whose release an entry runs: its own, or that of which it is a part."""
    return str(manifest.get("release_of") or manifest["name"])


def _orphans() -> list[Path]:
    """Return the folders of releases that nothing on this host was deployed with."""
    owners = {_owner(service_host.manifest(name)) for name in service_host.deployed()}
    folders = (service_releases.ROOT / "services").glob("*")
    return [path for path in sorted(folders) if path.name not in owners]


def _controller(systemd: Systemd) -> list[Path]:
    """Return the units of the host's autoscale."""
    paths = [systemd.folder / f"tandem-autoscale.{kind}" for kind in ("timer", "service")]
    return [path for path in paths if path.exists()]


def _left_template(name: str, manager: str, systemd: Systemd) -> list[Path]:
    """Return the template of a service that has gone to another manager with all its instances."""
    path = systemd.folder / f"{name}@.service"
    if manager == systemd.name or not path.exists():
        return []
    return [] if any(not item.gone for item in systemd.instances([name], {})[name]) else [path]


def remove_unused(paths: Sequence[Path], systemd: Systemd) -> None:
    """Remove what `unused` found, then the unpacked wheels that only removed releases had used."""
    units = [path for path in paths if path.suffix in (".service", ".timer")]
    for path in units:
        if path.suffix == ".timer":
            systemd.call("disable", "--quiet", "--now", "--", path.name)
    for path in paths:
        _remove(path)
    if units:
        systemd.reload()
    for path in service_releases.leftovers(service_releases.ROOT):
        _remove(path)
