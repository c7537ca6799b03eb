"""Cuts of the network. Their only state is the sets of the lab's filter, so they survive a host's reboot."""

from __future__ import annotations

from collections.abc import Mapping

from lab import network
from lab.errors import LabError
from lab.model import Host, Site

_ROUTED = "inet tandem_lab"
_BRIDGED = "bridge tandem_lab"


def cut(site: Site, world: str = "world") -> None:
    """Cut a site from the other sites of the platform; users still reach it."""
    if site.name == world:
        raise LabError("the world is no site of the platform", f"./lab/lab blackout {world}")
    network.inside("nft", f"add element {_ROUTED} cut_sites {{ {site.bridge} }}")


def blackout(site: Site) -> None:
    """Cut a site from everyone: the other sites and the users."""
    network.inside("nft", f"add element {_ROUTED} dark_sites {{ {site.bridge} }}")


def cut_link(one: Site, other: Site) -> None:
    """Cut the link between two sites, both ways."""
    if one.name == other.name:
        raise LabError(f"{one.name} has no link to itself", "name two sites")
    pairs = f"{one.bridge} . {other.bridge}, {other.bridge} . {one.bridge}"
    network.inside("nft", f"add element {_ROUTED} cut_links {{ {pairs} }}")


def isolate(host: Host) -> None:
    """Cut a host from everyone, also from hosts of its own site."""
    network.inside("nft", f"add element {_BRIDGED} isolated {{ {host.veth} }}")


def heal() -> None:
    """Undo every cut."""
    sets = [f"{_ROUTED} cut_sites", f"{_ROUTED} dark_sites", f"{_ROUTED} cut_links", f"{_BRIDGED} isolated"]
    network.inside("nft", "-f", "-", stdin="".join(f"flush set {name}\n" for name in sets))


def describe() -> list[str]:
    """Return the present cuts as the commands that make them."""
    return _lines(
        {
            "cut": _elements(_ROUTED, "cut_sites"),
            "blackout": _elements(_ROUTED, "dark_sites"),
            "cut-link": _elements(_ROUTED, "cut_links"),
            "isolate": _elements(_BRIDGED, "isolated"),
        }
    )


def _lines(found: Mapping[str, list[str]]) -> list[str]:
    lines = []
    for verb, elements in found.items():
        for element in elements:
            names = [word.strip().removeprefix("br-").removeprefix("vb-") for word in element.split(" . ")]
            if names == sorted(names):
                lines.append(" ".join([verb, *names]))
    return sorted(lines)


def _elements(table: str, name: str) -> list[str]:
    text = network.inside("nft", f"list set {table} {name}").stdout
    if "elements = {" not in text:
        return []
    body = text.split("elements = {")[1].split("}")[0]
    return [element.replace('"', "").strip() for element in body.split(",")]
