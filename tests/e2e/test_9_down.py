"""The lab takes away all that it brought."""

import subprocess
from pathlib import Path

import pytest


def machine_state():
    """What the lab could leave behind: processes, namespaces, mounts, loop devices, links, routes, nft tables."""

    def lines(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    return {
        # A defunct process has ended; the machine's init collects it when it gets to it.
        "processes": [
            line
            for line in lines("ps", "axww", "-o", "args=")
            if ("systemd-nspawn" in line or "tandem-lab" in line) and "<defunct>" not in line
        ],
        "namespaces": [n for n in lines("ip", "netns") if "tandem" in n],
        "mounts": [m for m in Path("/proc/self/mounts").read_text().splitlines() if "tandem" in m],
        "loops": [d for d in lines("losetup", "-a") if "tandem" in d],
        "links": [n for n in lines("ip", "-br", "link") if "tandem" in n],
        "routes": [r for r in lines("ip", "route") if "10.6" in r],
        "tables": [t for t in lines("nft", "list", "tables") if "tandem" in t],
    }


@pytest.mark.ends_lab
def test_down_leaves_nothing(lab, request):
    if request.config.getoption("--keep-lab"):
        return
    assert machine_state()["namespaces"], "the lab should have been up until now"
    lab.down()
    left = {kind: found for kind, found in machine_state().items() if found}
    assert not left, left
