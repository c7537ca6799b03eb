"""Hosts and sites out of an Ansible inventory."""

import textwrap
from pathlib import Path

import pytest

from lab import LabError, inventory
from lab.model import GIB

PROJECT = Path(__file__).resolve().parents[3]
HOSTS = """
all:
  children:
    platform:
      children:
        edge:
          hosts:
            msk-edge1: {ansible_host: 10.61.0.11, platform_address6: "fd61::11", platform_site: msk, lab_disk: 2G}
        app:
          hosts:
            msk-edge1: {}
    outside:
      hosts:
        world: {ansible_host: 10.64.0.10, platform_address6: "fd64::10", platform_site: world}
"""
VARIABLES = """
platform_domain: tandem.test
platform_public_names: [shop.tandem.test]
platform_sites:
  msk: {networks: [10.61.0.0/24, "fd61::/64"]}
platform_secret: !vault |
  $ANSIBLE_VAULT;1.1;AES256
"""


@pytest.fixture
def write(tmp_path):
    """Write an inventory and return its folder."""

    def make(hosts=HOSTS, variables=VARIABLES):
        (tmp_path / "hosts.yml").write_text(textwrap.dedent(hosts))
        folder = tmp_path / "group_vars" / "all"
        folder.mkdir(parents=True)
        (folder / "platform.yml").write_text(textwrap.dedent(variables))
        return tmp_path

    return make


def test_host_with_classes_of_all_its_groups(write):
    host = inventory.load(write()).hosts[0]
    assert host.classes == ("edge", "app")
    assert host.names == ("msk-edge1.tandem.test", "msk-edge1")
    assert host.addresses == ("10.61.0.11", "fd61::11")
    assert host.disk == 2 * GIB
    assert host.public_names == ("shop.tandem.test",)
    assert (str(host.site.gateway), str(host.site.gateway6)) == ("10.61.0.1", "fd61::1")


def test_site_that_is_not_the_platforms_comes_from_the_address(write):
    world = inventory.load(write()).hosts[1]
    assert str(world.site.network) == "10.64.0.0/24"
    assert str(world.site.network6) == "fd64::/64"
    assert world.public_names == ()


def test_file_and_folder_are_the_same(write):
    folder = write()
    assert inventory.load(folder) == inventory.load(folder / "hosts.yml")


def test_the_projects_own_inventories():
    hosts = {host.name for host in inventory.load(PROJECT / "inventories" / "lab").hosts}
    assert {"msk-data1", "spb-data1", "wit1", "world"} <= hosts
    assert inventory.load(PROJECT / "molecule" / "inventory").hosts


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        ("all: {hosts: {a: {ansible_host: 10.61.0.9}}}", "no platform_site"),
        ("all: {hosts: {a: {platform_site: msk}}}", "ansible_host is None, not an address"),
        ("all: {hosts: {a: {ansible_host: name, platform_site: msk}}}", "not an address"),
        (
            "all: {hosts: {a: {ansible_host: 10.99.0.9, platform_site: msk}}}",
            "outside the networks of site msk",
        ),
        ("all: {hosts: {a: {ansible_host: 'fd61::9', platform_site: msk}}}", "wrong family"),
        ("all: {hosts: {a-name-too-long: {ansible_host: 10.61.0.9, platform_site: msk}}}", "longer than 12"),
        ("all: {hosts: {a: {ansible_host: 10.61.0.9, platform_site: msk, lab_disk: big}}}", "not a size"),
        (
            "all: {hosts: {a: &x {ansible_host: 10.61.0.9, platform_site: msk}, b: *x}}",
            "a and b both have 10.61.0.9",
        ),
        ("all: {hosts: {a: }", "not valid YAML"),
        ("- a", "does not hold a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_a_cure(write, hosts, problem):
    with pytest.raises(LabError) as caught:
        inventory.load(write(hosts))
    assert problem in caught.value.problem
    assert caught.value.cure


def test_site_without_network(write):
    with pytest.raises(LabError, match="site msk has no IPv4 network"):
        inventory.load(write(variables="platform_sites: {msk: {networks: ['fd61::/64']}}"))


def test_site_with_a_wrong_network(write):
    with pytest.raises(LabError, match=r"10\.61\.0\.1/24 has host bits set"):
        inventory.load(write(variables="platform_sites: {msk: {networks: [10.61.0.1/24]}}"))


def test_missing_inventory(tmp_path):
    with pytest.raises(LabError, match="does not exist"):
        inventory.load(tmp_path)
