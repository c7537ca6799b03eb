"""The secrets that a controller has generated."""

from __future__ import annotations

from pathlib import Path

PUBLIC = (".pem", ".crt", ".csr", ".lock")


def generated(store: Path) -> dict[str, str]:
    """Every generated secret's text by its name, or its most telling line where it is a key."""
    found = {}
    for path in sorted(store.rglob("*")):
        if path.is_file() and path.suffix not in PUBLIC:
            lines = [line for line in path.read_text().splitlines() if line and not line.startswith("-----")]
            if lines:  # lock files are empty
                found[str(path.relative_to(store))] = lines[0]
    return found
