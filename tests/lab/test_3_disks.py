"""What survives what."""

import time
from pathlib import Path

WRITE = "echo synced > /root/synced && sync -f /root/synced; sleep 0.2; echo unsynced > /root/unsynced"


def files(lab, host):
    return sorted(lab.run(host, "cat /root/synced /root/unsynced 2>/dev/null", check=False).split())


def test_power_loss_loses_what_was_not_synced(lab):
    lab.run("t-south1", WRITE)
    lab("power-loss", "t-south1")
    assert "t-south1" in lab("status").stdout
    lab("boot", "t-south1")
    assert files(lab, "t-south1") == ["synced"]


def test_kill_and_orderly_stop_lose_nothing(lab):
    for verb in ("kill", "stop"):
        lab.run("t-south1", WRITE)
        lab(verb, "t-south1")
        lab("boot", "t-south1")
        assert files(lab, "t-south1") == ["synced", "unsynced"]
        lab.run("t-south1", "rm /root/synced /root/unsynced")


def test_reset_gives_a_fresh_disk_and_keeps_the_host_key(lab):
    lab.run("t-south1", WRITE)
    machine = lab.run("t-south1", "cat /etc/machine-id")
    lab("reset", "t-south1")
    assert files(lab, "t-south1") == []
    assert lab.run("t-south1", "cat /etc/machine-id") != machine
    assert lab("ssh", "t-south1", "hostname").stdout.strip() == "t-south1"


def test_saved_disks_come_back(lab):
    lab.run("t-north1", "echo saved > /root/mark")
    lab("save", "one")
    assert lab.run("t-north1", "cat /root/mark") == "saved", "hosts that ran run again after save"
    lab.run("t-north1", "echo later > /root/mark")
    lab("load", "one")
    assert lab.run("t-north1", "cat /root/mark") == "saved"
    assert "snapshots: one" in lab("status").stdout


def test_a_host_that_cannot_start_says_why(lab):
    lab("stop", "t-third1")
    image = Path(f"/var/lib/{lab.name}/hosts/t-third1/disk.img")
    with image.open("r+b") as disk:
        disk.write(bytes(1 << 20))
    started = time.monotonic()
    done = lab("boot", "t-third1", check=False)
    assert done.returncode == 1
    assert "t-third1 could not be started" in done.stderr
    assert "wrong fs type" in done.stderr
    assert time.monotonic() - started < 10
    lab("reset", "t-third1")


def test_logs_of_a_host_that_is_down(lab):
    lab.run("t-south1", "logger -t probe last words; journalctl --sync")
    lab("kill", "t-south1")
    assert "last words" in lab("logs", "t-south1", "-t", "probe").stdout
