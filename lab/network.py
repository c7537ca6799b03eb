"""The lab's network: a namespace with one bridge per site, and one wire from the machine into it.

Outside the namespace there are one veth, its routes, and one nft table; nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.model import Host, Site
from lab.paths import MACHINE, MACHINE6, NETNS, NFT_TABLE, ROUTER, ROUTER6, RUN, VETH, WIRE

NETNS_FILE = Path("/run/netns") / NETNS
UPLINK = "up0"
_LAYOUT = RUN / "layout"

FILTER = f"""
table inet tandem_lab {{
  set cut_sites {{ type ifname; }}              # cut from the other sites of the platform
  set dark_sites {{ type ifname; }}             # cut from everyone
  set sites {{ type ifname; }}                  # sites of the platform: all but the world
  set cut_links {{ type ifname . ifname; }}     # one direction of one link
  chain forward {{
    type filter hook forward priority 0; policy accept;
    # The machine's own path stays open. No rule accepts known connections: a cut ends them at once.
    iifname "{UPLINK}" accept
    oifname "{UPLINK}" accept
    iifname @dark_sites drop
    oifname @dark_sites drop
    iifname @cut_sites oifname @sites drop
    iifname @sites oifname @cut_sites drop
    iifname . oifname @cut_links drop
  }}
}}
table bridge tandem_lab {{
  set isolated {{ type ifname; }}               # wires of isolated hosts
  chain from_host {{
    type filter hook prerouting priority 0; policy accept;
    iifname @isolated ip daddr {MACHINE} accept
    iifname @isolated arp daddr ip @gateways accept
    iifname @isolated drop
  }}
  chain to_host {{
    type filter hook postrouting priority 0; policy accept;
    oifname @isolated ip saddr {MACHINE} accept
    oifname @isolated arp saddr ip @gateways accept
    oifname @isolated drop
  }}
  set gateways {{ type ipv4_addr; }}
}}
"""


def inside(*argv: str | Path, stdin: str | None = None, check: bool = True) -> shell.Result:
    """Run a program in the lab's network namespace. Raises LabError when the lab is down."""
    if not exists():
        raise LabError("the lab is down", "./lab/lab up")
    return shell.run("nsenter", f"--net={NETNS_FILE}", *argv, stdin=stdin, check=check)


def exists() -> bool:
    """Say whether the namespace is there (a plain file of that name is the rest of an earlier boot)."""
    return NETNS_FILE.exists() and NETNS_FILE.stat().st_dev != NETNS_FILE.parent.stat().st_dev


def ensure(sites: Iterable[Site]) -> None:
    """Make the namespace, the machine's wire, and every site's bridge, as far as they are missing."""
    if not exists():
        _create()
    for site in sites:
        _ensure_site(site)


def remove() -> None:
    """Take everything away that `ensure` made; say nothing about what is already gone."""
    shell.run("nft", "delete", "table", "inet", NFT_TABLE, check=False)
    shell.run("ip", "link", "delete", VETH, check=False)
    if exists():
        shell.run("ip", "netns", "delete", NETNS)
    NETNS_FILE.unlink(missing_ok=True)


def refuse_foreign() -> None:
    """Raise LabError when the namespace was laid out by another version of the lab."""
    if exists() and (not _LAYOUT.exists() or _LAYOUT.read_text() != _layout()):
        raise LabError(
            "the lab that runs was started by another version of ./lab/lab",
            "./lab/lab down, then up: disks stay",
        )


def _layout() -> str:
    """Name what `_create` makes, so that a version that makes something else notices."""
    text = FILTER + _machine_commands() + _router_commands() + _machine_table()
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_overlap(sites: Iterable[Site]) -> None:
    """Raise LabError when the machine already has a way to one of the lab's networks."""
    for site in sites:
        for network, option in ((site.network, "-4"), (site.network6, "-6")):
            if network is None:
                continue
            routes = shell.run("ip", option, "route", "show", "root", str(network)).stdout.splitlines()
            foreign = [line for line in routes if f"dev {VETH}" not in line]
            if foreign:
                raise LabError(
                    f"network {network} of site {site.name} is in use on this machine: {foreign[0].strip()}",
                    "choose another network for the site in the inventory",
                )


def _create() -> None:
    NETNS_FILE.unlink(missing_ok=True)
    shell.run("ip", "netns", "add", NETNS)
    # No duplicate address detection: addresses made by hand are usable at once. Frames on a bridge never pass
    # the filter for routed packets, or a cut of a site would also cut inside it.
    inside(
        "sh",
        "-c",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0; "
        "for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 > $f; done; "
        "ip link set lo up",
    )
    inside("nft", "-f", "-", stdin=FILTER)
    shell.run("ip", "-batch", "-", stdin=_machine_commands())
    inside("ip", "-batch", "-", stdin=_router_commands())
    shell.run("nft", "-f", "-", stdin=_machine_table())
    _LAYOUT.write_text(_layout())


def _machine_commands() -> str:
    return (
        f"link add {VETH} type veth peer name {UPLINK} netns {NETNS}\n"
        f"address add {MACHINE}/30 dev {VETH}\n"
        f"address add {MACHINE6}/126 dev {VETH} nodad\n"
        f"link set {VETH} up\n"
    )


def _router_commands() -> str:
    return (
        f"address add {ROUTER}/30 dev {UPLINK}\n"
        f"address add {ROUTER6}/126 dev {UPLINK} nodad\n"
        f"link set {UPLINK} up\n"
        f"route add default via {MACHINE}\n"
        f"route add default via {MACHINE6}\n"
    )


def _machine_table() -> str:
    """Hosts may reach out (a second way to packages); nobody but this machine may reach in."""
    return f"""
table inet {NFT_TABLE} {{
  set networks {{ type ipv4_addr; flags interval; elements = {{ {WIRE} }} }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    oifname "{VETH}" ct state established,related accept
    oifname "{VETH}" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr @networks oifname != "{VETH}" masquerade
  }}
}}
"""


def _ensure_site(site: Site) -> None:
    if inside("ip", "link", "show", site.bridge, check=False).returncode == 0:
        return
    six = (
        f"address add {site.gateway6}/{site.network6.prefixlen} dev {site.bridge} nodad\n"
        if site.network6
        else ""
    )
    inside(
        "ip",
        "-batch",
        "-",
        stdin=f"link add {site.bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
        f"address add {site.gateway}/{site.network.prefixlen} dev {site.bridge}\n{six}"
        f"link set {site.bridge} up\n",
    )
    inside("nft", f"add element bridge tandem_lab gateways {{ {site.gateway} }}")
    routes = f"route replace {site.network} via {ROUTER}\n"
    if site.network6:
        routes += f"route replace {site.network6} via {ROUTER6}\n"
    shell.run("ip", "-batch", "-", stdin=routes)
    shell.run("nft", f"add element inet {NFT_TABLE} networks {{ {site.network} }}")


def mark_platform_sites(sites: Iterable[Site]) -> None:
    """Tell the filter which bridges are sites of the platform, so that `cut` spares the users."""
    bridges = ", ".join(site.bridge for site in sites)
    if bridges:
        inside("nft", f"add element inet tandem_lab sites {{ {bridges} }}")


def unplug(host: Host) -> None:
    """Take the host's wire away, so that nothing it still sends arrives anywhere; a lab that is down has no wires."""
    if exists():
        inside("ip", "link", "set", host.veth, "down", check=False)


def forget_wire(host: Host) -> None:
    """Remove the rest of a dead host's wire; the kernel does it too, but later."""
    if exists():
        inside("ip", "link", "delete", host.veth, check=False)
