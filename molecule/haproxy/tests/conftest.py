"""What the tests of the scenario share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.haproxy import runtime, servers, wait


def all_usable(host: Any) -> bool:
    """Return whether HAProxy knows every instance and every door of this host as usable."""
    here = [row for (_, name), row in servers(host).items() if name != "m-elsewhere"]
    return all(row["status"].startswith(("UP", "no check")) for row in here)


@pytest.fixture(autouse=True)
def settled(host: Any) -> None:
    """Every test starts with all instances running, known as such, and nothing drained."""
    with host.sudo():
        ports = (5000, 5001, 5010, 5020, 5030)
        host.check_output("systemctl start " + " ".join(f"instance@{port}" for port in ports))
        runtime(host, "clear map /etc/haproxy/drain.map")
        wait(lambda: all_usable(host))


@pytest.fixture
def sudo(host: Any) -> Iterator[Any]:
    with host.sudo():
        yield host
