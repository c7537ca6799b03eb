"""Labs that died, and labs that are taken away. Last, because these end the small lab."""

import os
import signal
import subprocess
import time
from pathlib import Path

NETNS = Path("/run/netns")


def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def left(name):
    """All that a lab of that name has on this machine, but files."""
    return {
        "processes": [p for p in lines("ps", "axww", "-o", "args=") if f"/run/{name}/" in p],
        "namespaces": [n for n in lines("ip", "netns") if n.split()[0] == name],
        "mounts": [m for m in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}/" in m],
        "loops": [d for d in lines("losetup", "-a") if f"/{name}/" in d],
        "links": [n for n in lines("ip", "-br", "link") if name in n],
        "routes": [r for r in lines("ip", "route") + lines("ip", "-6", "route") if f"{name}0" in r],
        "tables": [t for t in lines("nft", "list", "tables") if name.replace("-", "_") in t],
        "groups": [str(g) for g in Path("/sys/fs/cgroup").glob(f"**/{name}")],
        "files": [
            str(p)
            for p in (Path("/run") / name, *Path("/run/systemd/nspawn/propagate").glob("t-*"))
            if p.exists()
        ],
    }


def processes(name):
    """Every process of the lab: its helpers and those in its hosts."""
    found = [
        int(line.split()[0]) for line in lines("ps", "axww", "-o", "pid=,args=") if f"/run/{name}/" in line
    ]
    for group in Path("/sys/fs/cgroup").glob(f"**/{name}/**/cgroup.procs"):
        found += [int(word) for word in group.read_text().split()]
    return set(found)


def die(name):
    """All processes of the lab end at once."""
    while found := processes(name):
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def test_reset_boots_a_host_of_a_lab_that_is_down(lab):
    lab("down")
    lab("reset", "t-north1")
    assert lab.run("t-north1", "hostname") == "t-north1"


def test_up_clears_what_a_dead_lab_left(lab):
    lab.run("t-north1", "echo kept > /root/kept; sync")
    die(lab.name)
    image = Path(f"/var/lib/{lab.name}/hosts/t-south1/disk.img")
    mount_point = Path(f"/run/{lab.name}/rest")
    mount_point.mkdir()
    subprocess.run(["mount", "-o", "loop", image, mount_point], check=True)
    lab("up")
    assert lab.run("t-north1", "cat /root/kept") == "kept"
    assert lab.reaches("t-north1", "t-south1") == "46"
    assert not [m for m in Path("/proc/self/mounts").read_text().splitlines() if str(mount_point) in m]


def test_up_after_a_reboot_of_the_machine(lab):
    """A reboot takes processes and kernel objects, and on some machines leaves the files below /run."""
    lab.run("t-north1", "echo kept > /root/kept; sync")
    die(lab.name)
    subprocess.run(["ip", "link", "delete", f"{lab.name}0"], check=True)
    subprocess.run(["nft", "delete", "table", "inet", lab.name.replace("-", "_")], check=True)
    subprocess.run(["ip", "netns", "delete", lab.name], check=True)
    (NETNS / lab.name).write_text("")
    lab("up")
    assert lab.run("t-north1", "cat /root/kept") == "kept"
    assert lab.reaches("t-world", "t-north1") == "46"


def test_helpers_that_died_come_back(lab):
    for process in [
        int(line.split()[0])
        for line in lines("ps", "axww", "-o", "pid=,args=")
        if f"/run/{lab.name}/dns" in line
    ]:
        os.kill(process, signal.SIGKILL)
    assert "(0 booted)" in lab("up").stderr
    assert lab.run("t-world", "getent hosts shop.lab.test")


def test_down_leaves_nothing_but_disks(lab):
    assert all(found for kind, found in left(lab.name).items() if kind not in ("mounts",))
    lab("down")
    assert not {kind: found for kind, found in left(lab.name).items() if found}
    assert Path(f"/var/lib/{lab.name}/hosts/t-north1/disk.img").exists()
    lab("up")
    assert lab.run("t-north1", "hostname") == "t-north1"
    lab("clean")
    assert not Path(f"/var/lib/{lab.name}").exists()
