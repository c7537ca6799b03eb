"""Sites and hosts as the inventory states them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from lab.errors import LabError

GIB = 1024**3
DEFAULT_DISK = 4 * GIB


@dataclass(frozen=True)
class Site:
    """One bridge of the lab: a datacenter, the witness site, or the world."""

    name: str
    network: IPv4Network
    network6: IPv6Network | None = None
    witness: bool = False

    @property
    def bridge(self) -> str:
        """Interface name of the site's bridge."""
        return f"br-{self.name}"

    @property
    def gateway(self) -> IPv4Address:
        """First address of the network."""
        return self.network[1]

    @property
    def gateway6(self) -> IPv6Address | None:
        """First address of the IPv6 network."""
        return self.network6[1] if self.network6 else None


@dataclass(frozen=True)
class Host:
    """One booted host. `disk` is the size of its file system in bytes."""

    name: str
    site: Site
    address: IPv4Address
    address6: IPv6Address | None = None
    classes: tuple[str, ...] = ()
    domain: str = ""
    public_names: tuple[str, ...] = ()
    disk: int = DEFAULT_DISK

    @property
    def veth(self) -> str:
        """Interface name of the host's wire at its site's bridge (systemd-nspawn chooses it)."""
        return f"vb-{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Full name first, as reverse look-ups should answer."""
        return (f"{self.name}.{self.domain}", self.name) if self.domain else (self.name,)

    @property
    def addresses(self) -> tuple[str, ...]:
        """IPv4 address and, where it has one, IPv6 address."""
        return tuple(str(a) for a in (self.address, self.address6) if a is not None)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the host's record."""
        return {
            "name": self.name,
            "site": self.site.name,
            "network": str(self.site.network),
            "network6": str(self.site.network6) if self.site.network6 else None,
            "witness": self.site.witness,
            "address": str(self.address),
            "address6": str(self.address6) if self.address6 else None,
            "classes": list(self.classes),
            "domain": self.domain,
            "public_names": list(self.public_names),
            "disk": self.disk,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Host:
        """Read a host's record."""
        network6 = IPv6Network(data["network6"]) if data["network6"] else None
        return cls(
            name=data["name"],
            site=Site(data["site"], IPv4Network(data["network"]), network6, data["witness"]),
            address=IPv4Address(data["address"]),
            address6=IPv6Address(data["address6"]) if data["address6"] else None,
            classes=tuple(data["classes"]),
            domain=data["domain"],
            public_names=tuple(data["public_names"]),
            disk=data["disk"],
        )


def parse_size(text: str | int) -> int:
    """Turn `4G`, `512M` or a number of bytes into bytes."""
    words = str(text).strip().upper()
    units = {"K": 1024, "M": 1024**2, "G": GIB}
    number, unit = (words[:-1], units[words[-1]]) if words[-1:] in units else (words, 1)
    if not number.isdigit() or int(number) == 0:
        raise LabError(f"lab_disk: {text!r} is not a size", "write it like 4G or 512M")
    return int(number) * unit
