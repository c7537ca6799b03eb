"""The hosts that the lab has, from all inventories that it was started with: one record beside each disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from lab.errors import LabError
from lab.model import Host
from lab.paths import STORE, host_store


@dataclass(frozen=True)
class Record:
    """A host and the key of the base image below its disk."""

    host: Host
    base: str

    @property
    def name(self) -> str:
        """The host's name."""
        return self.host.name


def records() -> list[Record]:
    """Return all records, ordered by name."""
    return [_load(file.parent.name) for file in sorted(STORE.glob("hosts/*/host.json"))]


def get(name: str) -> Record:
    """Return one host's record. Raises LabError when the lab has no such host."""
    if not (host_store(name) / "host.json").exists():
        known = ", ".join(record.name for record in records()) or "none"
        raise LabError(f"the lab has no host {name} (it has: {known})", f"./lab/lab up [-i INVENTORY] {name}")
    return _load(name)


def save(record: Record) -> None:
    """Write a record; readers see the old or the new one, never half of one."""
    folder = host_store(record.name)
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "host.json.new"
    new.write_text(json.dumps({**record.host.to_json(), "base": record.base}, indent=1) + "\n")
    new.rename(folder / "host.json")


def forget(name: str) -> None:
    """Remove a host's record and its disk."""
    shutil.rmtree(host_store(name), ignore_errors=True)


def refuse_conflicts(hosts: Iterable[Host]) -> None:
    """Raise LabError when a new host wants the address of another one that the lab already has."""
    owner = {address: record.name for record in records() for address in record.host.addresses}
    for host in hosts:
        for address in host.addresses:
            if owner.get(address, host.name) != host.name:
                raise LabError(
                    f"{host.name} wants {address}, which {owner[address]} has",
                    f"change the inventory, or ./lab/lab forget {owner[address]}",
                )


def _load(name: str) -> Record:
    data = json.loads((host_store(name) / "host.json").read_text())
    return Record(Host.from_json(data), data["base"])
