"""The action and the playbooks as Ansible runs them, on the inventories that people start from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLES = ["three-hosts", "full"]


@pytest.fixture
def config(root):
    """Run playbooks/config.yml, or another, and return its return code, its output, and what it printed as data."""

    def run(inventory, *options, playbook="config"):
        command = [sys.executable, "-m", "ansible", "playbook", f"-i{inventory}", f"playbooks/{playbook}.yml"]
        done = subprocess.run(
            [*command, *options],
            cwd=root,
            env=os.environ | {"ANSIBLE_CONFIG": str(root / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, printed(done.stdout)

    return run


def printed(output):
    """Return the data that the task Print showed; None when it did not run."""
    lines = output.partition("TASK [Print]")[2].splitlines()
    block = [line for line in lines[2:] if line.startswith(" ")]
    return yaml.safe_load("\n".join(block))["msg"] if block else None


@pytest.fixture
def broken(root, tmp_path):
    """A copy of the small example to spoil; its project is the checkout."""
    folder = tmp_path / "inventory"
    shutil.copytree(root / "inventories" / "example" / "three-hosts", folder)
    return folder


def add(folder, **variables):
    variables.setdefault("platform_project_dir", str(Path(__file__).resolve().parents[3]))
    (folder / "group_vars" / "all" / "zz.yml").write_text(yaml.safe_dump(variables))
    return folder


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_sound_and_everything_is_shown(config, name):
    code, output, shown = config(f"inventories/example/{name}")
    assert code == 0, output
    assert "WARNING" not in output
    assert list(shown["catalog"]) == ["orders", "products", "users"]
    assert shown["notices"] == []
    assert shown["certificates"]["wit1"][0]["name"] == "postgres"
    assert len(shown["postgres"]["nodes"]) == 2


def test_lab_is_sound(config):
    without_packages = '{"platform_observability": false}'  # those of `make packages` may not be there
    code, output, shown = config(
        "inventories/lab", "-e", "view=haproxy", "-e", "host=msk-app1", "-e", without_packages
    )
    assert code == 0, output
    assert shown["haproxy"]["msk-app1"]["door"]["port"] == 7443


def test_override_reaches_the_catalog(config):
    _, _, shown = config("inventories/example/full", "-e", "view=catalog")
    orders = shown["catalog"]["orders"]
    assert (orders["instances"], orders["limits"]["memory"], orders["limits"]["cpu"]) == (6, "1G", "200%")


def test_all_problems_are_listed_before_any_host_is_touched(config, broken):
    add(
        broken,
        platform_timouts="fast",
        services_override={
            "users": {"port": "{{ undefined_here }}", "app": "apps/user"},
            "orders": {"prot": 1},
        },
    )
    code, output, shown = config(broken)
    assert (code, shown) == (2, None)
    assert "4 problems in the inventory; nothing was changed." in output
    assert "platform_timouts: is an unknown key\n    cure: write platform_timeouts" in output
    assert "services_override.users.port: can't be evaluated: 'undefined_here' is undefined" in output
    assert 'services_override.users.app: "apps/user" is not there' in output
    assert "services_override.orders.prot: is an unknown key" in output
    assert "UNREACHABLE" not in output


def test_a_schedule_that_systemd_refuses_is_refused(config, broken):
    sweep = {"app": "sweep==1", "hosts": "app", "command": ["sweep"], "run_on": "every_host"}
    add(
        broken,
        services_override={
            "sweep": sweep | {"schedule": "*-*-* 25:00"},
            "other": sweep | {"schedule": "Mon..Fri *-*-* 09:00:00"},
        },
    )
    code, output, _ = config(broken)
    assert code == 2
    assert "1 problem in the inventory; nothing was changed." in output
    assert 'services_override.sweep.schedule: "*-*-* 25:00" is no schedule of systemd: ' in output


def test_a_platform_variable_must_be_the_same_everywhere(config, broken):
    (broken / "host_vars").mkdir()
    (broken / "host_vars" / "spb1.yml").write_text("platform_timeouts: wide\n")
    code, output, _ = config(add(broken))
    assert code == 2
    assert 'platform_timeouts: differs between hosts: ["spb1"] see another value than msk1' in output


def test_a_visible_secrets_folder_is_refused(config, broken):
    code, output, _ = config(add(broken, platform_secrets_dir="{{ inventory_dir }}/secrets"))
    assert code == 2
    assert "is inside the inventory, where Ansible would take a password for a host's name" in output


def test_warnings_are_printed_and_kept(config, broken):
    override = {"users": {"hosts": "msk_only"}}
    add(broken, services_override=override)
    (broken / "more.yml").write_text("msk_only: {hosts: {msk1: {}}}\n")
    code, output, shown = config(broken, "-e", "view=notices")
    assert code == 0, output
    (notice,) = shown["notices"]
    assert notice.startswith("services_override.users.hosts: every host of group msk_only is in site msk")
    assert "[WARNING]: services_override.users.hosts" in output


def test_api_clients_are_listed_without_their_keys(config, broken):
    add(broken, platform_gateway={"clients": {name: {"requests": 20, "per": 10} for name in ("old", "new")}})
    key = broken / ".secrets" / "gateway" / "clients" / "old"
    key.parent.mkdir(parents=True)
    key.write_text("the-key-itself")
    code, output, _ = config(broken, playbook="api_clients")
    assert code == 0, output
    output = " ".join(output.split())  # long lines are folded
    assert f"old: 20 requests in 10 s on each edge, key in {key}" in output
    assert f"{key.with_name('new')} (made by the next run of site.yml)" in output
    assert f"{key} (made" not in output
    assert "the-key-itself" not in output
    assert [path.name for path in key.parent.iterdir()] == ["old"]


def test_no_api_clients(config):
    code, output, _ = config("inventories/example/three-hosts", playbook="api_clients")
    assert code == 0, output
    assert "platform_gateway names no clients" in output


@pytest.mark.parametrize(
    "options", [[], ["-e", "signing_key=users/jwt_key"], ["-e", "confirm=users/jwt_key"]]
)
def test_a_signing_key_is_changed_only_when_it_is_named_twice(config, broken, options):
    add(broken)
    code, output, _ = config(broken, *options, playbook="rotate_signing_key")
    assert code == 2
    assert "Say which, twice" in output
    assert not list(broken.rglob("jwt_key*"))
