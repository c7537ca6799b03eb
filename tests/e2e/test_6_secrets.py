"""Secrets are generated, and nobody but their service can read them."""

import re
import subprocess

import pytest

from tests.support.playbook import ROOT
from tests.support.secrets import generated

SECRETS = ROOT / "inventories/lab/.secrets"
APP_HOSTS = ["msk-app1", "spb-app1"]
ALL_HOSTS = ["msk-edge1", "msk-app1", "msk-data1", "wit1"]


@pytest.fixture(scope="module")
def values():
    found = generated(SECRETS)
    assert len(found) > 8, found.keys()
    return found


def test_store_is_private_and_not_in_the_repository():
    assert all(path.stat().st_mode & 0o077 == 0 for path in SECRETS.rglob("*.key"))
    assert SECRETS.stat().st_mode & 0o077 == 0
    tracked = subprocess.run(
        ["git", "ls-files", str(SECRETS)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert tracked.stdout == ""


def test_none_is_in_any_output(values, logs):
    for log in logs.glob("*.log"):
        text = log.read_text()
        assert [name for name, value in values.items() if value in text] == [], log


def test_none_is_in_a_process_list(lab, values):
    for host in ALL_HOSTS:
        lines = lab.run(host, ["ps", "axww", "-o", "args="]).stdout
        assert [name for name, value in values.items() if value in lines] == [], host


def test_no_file_with_a_secret_is_readable_by_another_services_user(lab, values):
    """As each service's user and as nobody: no readable file under /etc, /opt, /var/lib, /run holds a secret."""
    pattern = "\n".join(values.values())
    for host in APP_HOSTS:
        users = re.findall(r"^(svc-\w+):", passwd(lab, host), re.MULTILINE)
        assert len(users) >= 3
        for user in [*users, "nobody"]:
            done = lab.run(
                host,
                [
                    "runuser",
                    "-u",
                    user,
                    "--",
                    "grep",
                    "-rlsF",
                    "-f",
                    "-",
                    "/etc",
                    "/opt",
                    "/var/lib",
                    "/run",
                    "/home",
                ],
                input=pattern,
                timeout=120,
            )
            own = f"/run/credentials/{user.removeprefix('svc-')}@"
            foreign = [path for path in done.stdout.splitlines() if not path.startswith(own)]
            assert foreign == [], f"{user} on {host} can read secrets"


def passwd(lab, host):
    return lab.run(host, ["cat", "/etc/passwd"]).stdout


def test_credentials_exist_at_all(lab):
    """The search above would also be green on a host without secrets."""
    done = lab.run("msk-app1", ["find", "/etc/tandem/services", "-path", "*credentials*", "-type", "f"])
    assert len(done.stdout.split()) >= 4, done.stdout
