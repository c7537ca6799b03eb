"""Hosts and sites to test with."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from lab.model import Host, Site


@pytest.fixture
def site():
    return Site("msk", IPv4Network("10.61.0.0/24"), IPv6Network("fd61::/64"))


@pytest.fixture
def host(site):
    return Host(
        name="msk-edge1",
        site=site,
        address=IPv4Address("10.61.0.11"),
        address6=IPv6Address("fd61::11"),
        classes=("edge",),
        domain="tandem.test",
        public_names=("shop.tandem.test",),
    )
