"""The processes of the lab's services, whoever manages them."""

from __future__ import annotations

import json

from lab import Lab

# The eldest process of each instance; its environment names it.
ELDEST = r"""
import json, pathlib
found = {}
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        environment = dict(
            item.split(b"=", 1) for item in (folder / "environ").read_bytes().split(b"\0") if b"=" in item
        )
        started = int((folder / "stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        continue
    if b"SERVICE_NAME" in environment and b"INSTANCE" in environment:
        name = (environment[b"SERVICE_NAME"] + b"@" + environment[b"INSTANCE"]).decode()
        found[name] = min(found.get(name, (started, int(folder.name))), (started, int(folder.name)))
print(json.dumps({name: pid for name, (_, pid) in found.items()}))
"""


def processes(lab: Lab, host: str) -> dict[str, int]:
    """The main process of every running instance on a host, by SERVICE@NUMBER."""
    done = lab.run(host, ["python3", "-c", ELDEST], timeout=30)
    done.check_returncode()
    found: dict[str, int] = json.loads(done.stdout)
    return found
