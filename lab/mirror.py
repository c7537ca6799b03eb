"""Where packages come from: the mirrors that this machine's own apt uses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

APT = Path("/etc/apt")
CURE = "set TANDEM_LAB_MIRROR and TANDEM_LAB_SECURITY_MIRROR to a Debian mirror and its debian-security"


@dataclass(frozen=True)
class Mirrors:
    """Addresses of a Debian mirror and of its security archive."""

    main: str
    security: str

    def sources(self, suite: str) -> list[str]:
        """Return the lines of a sources.list for the suite."""
        return [
            f"deb {self.main} {suite} main",
            f"deb {self.main} {suite}-updates main",
            f"deb {self.security} {suite}-security main",
        ]


@dataclass(frozen=True)
class Entry:
    """One address with its suites and components in a sources file."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def find(apt: Path = APT, os_release: Path = Path("/etc/os-release")) -> Mirrors:
    """Return this machine's Debian mirrors; the environment variables of the cure override them."""
    main, security = os.environ.get("TANDEM_LAB_MIRROR"), os.environ.get("TANDEM_LAB_SECURITY_MIRROR")
    if main and security:
        return Mirrors(main.rstrip("/"), security.rstrip("/"))
    codename = _codename(os_release)
    entries = list(_entries(apt))
    return Mirrors(
        main=_pick(entries, codename, "the Debian mirror"),
        security=_pick(entries, f"{codename}-security", "the security mirror"),
    )


def _codename(os_release: Path) -> str:
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", os_release.read_text(), re.MULTILINE)
    if not match:
        raise LabError("this machine does not say which Debian it is", CURE)
    return match[1]


def _pick(entries: list[Entry], suite: str, what: str) -> str:
    for entry in entries:
        if suite in entry.suites and "main" in entry.components and entry.uri.startswith("http"):
            return entry.uri.rstrip("/")
    raise LabError(f"{what} was not found in {APT}/sources.list and sources.list.d (suite {suite})", CURE)


def _entries(apt: Path) -> Iterator[Entry]:
    for file in sorted([apt / "sources.list", *(apt / "sources.list.d").glob("*")]):
        if not file.is_file():
            continue
        if file.suffix == ".sources":
            yield from _deb822(file.read_text())
        elif file.suffix == ".list":
            yield from _one_line(file.read_text())


def _one_line(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*]\s+)?(\S+)\s+(\S+)\s*(.*)", line.strip())
        if match:
            yield Entry(match[1], (match[2],), tuple(match[3].split("#")[0].split()))


def _deb822(text: str) -> Iterator[Entry]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for uri in fields.get("uris", []):
                yield Entry(uri, tuple(fields.get("suites", [])), tuple(fields.get("components", [])))


def _fields(stanza: str) -> dict[str, list[str]]:
    lines = [line for line in stanza.splitlines() if not line.startswith("#")]
    unfolded = re.sub(r"\n[ \t]+", " ", "\n".join(lines))
    pairs = (line.split(":", 1) for line in unfolded.splitlines() if ":" in line)
    return {key.strip().lower(): value.split() for key, value in pairs}
