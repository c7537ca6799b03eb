"""Booting, names, and what a host is."""

import re
import subprocess
import time


def test_all_hosts_answer_within_the_promise(booted):
    booted("clean")
    started = time.monotonic()
    said = booted("up").stderr
    assert time.monotonic() - started < 15, said
    assert "5 hosts answer SSH (5 booted)" in said


def test_second_up_changes_nothing(lab):
    before = lab.run("t-north1", "cat /proc/sys/kernel/random/boot_id; uptime -s")
    assert "(0 booted)" in lab("up").stderr
    assert lab.run("t-north1", "cat /proc/sys/kernel/random/boot_id; uptime -s") == before


def test_hosts_come_up_whole(lab):
    for host in lab.env()["hosts"]:
        assert lab.run(host, "systemctl is-system-running --wait") == "running"


def test_ssh_as_unprivileged_user_with_sudo(lab):
    assert lab("ssh", "t-south1", "whoami; sudo whoami").stdout.split() == ["ansible", "root"]


def test_env_leads_to_the_hosts(lab):
    env = lab.env()
    ssh = env["ssh"]
    target = f"{ssh['user']}@{env['hosts']['t-third1']['address']}"
    done = subprocess.run(
        ["ssh", "-i", ssh["key"], *ssh["options"], target, "hostname"],
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == "t-third1"
    assert env["edges"] == ["10.71.0.11", "10.72.0.11"]
    assert env["hosts"]["t-world"]["site"] == env["world"].removeprefix("t-")


def test_everyone_reaches_everyone(lab):
    for one, other in (("t-north1", "t-south1"), ("t-north1", "t-north2"), ("t-world", "t-third1")):
        assert lab.reaches(one, other) == "46"


def test_names(lab):
    for host in ("t-world", "t-north2"):
        assert lab.run(host, "getent ahostsv4 t-south1.lab.test").split()[0] == "10.72.0.11"
        assert lab.run(host, "getent ahostsv6 t-south1.lab.test").split()[0] == "fd72::11"
        public = lab.run(host, "getent ahosts shop.lab.test")
        assert set(re.findall(r"^(\S+)", public, re.M)) == {
            "10.71.0.11",
            "10.72.0.11",
            "fd71::11",
            "fd72::11",
        }


def test_a_command_ends_with_its_caller(lab):
    process = lab.popen("t-world", "sleep", "4711")
    time.sleep(1)
    assert lab.run("t-world", "pgrep -fx 'sleep 4711'")
    process.kill()
    time.sleep(0.5)
    assert lab.run("t-world", "pgrep -fx 'sleep 4711'", check=False) == ""


def test_firewall_of_units_works(lab):
    """Whether systemd may load its filters; many containers forbid that."""
    said = lab.run(
        "t-world",
        "systemd-run -q --pipe --wait -p IPAddressDeny=any ping -c1 -W1 10.74.0.1",
        check=False,
    )
    assert "1 received" not in said


def test_own_disk_fills_alone(lab):
    said = lab.run("t-north2", "dd if=/dev/zero of=/var/big bs=1M count=400 2>&1; rm -f /var/big")
    assert "No space left on device" in said
    assert lab.run("t-north1", "df --output=size -BM / | tail -1").strip() > "3000M"


def test_mistakes_are_told_with_a_cure(lab):
    for words in (("boot", "nowhere"), ("cut", "nowhere"), ("load", "nothing"), ("up", "nowhere")):
        done = lab(*words, check=False)
        assert done.returncode == 1
        assert "cure: " in done.stderr
        assert "Traceback" not in done.stderr
