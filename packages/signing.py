"""The key that signs the repository: made once per user, without a passphrase, kept where only the user reads."""

from __future__ import annotations

import os
from pathlib import Path

from packages import places
from packages.console import run, say

IDENTITY = "Tandem local packages"


def ensure() -> None:
    """Make the key if there is none."""
    home = places.signing()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if IDENTITY not in _gpg("--list-secret-keys", "--with-colons"):
        say("making the key that signs the repository")
        _gpg("--passphrase", "", "--quick-generate-key", IDENTITY, "ed25519", "sign", "never")


def public() -> str:
    """Return the key's public half as text, for the hosts."""
    return _gpg("--armor", "--export", IDENTITY)


def sign(release: Path, target: Path) -> None:
    """Write `release` with its signature inside to `target`."""
    _gpg(
        "--yes",
        "--local-user",
        IDENTITY,
        "--clearsign",
        "--digest-algo",
        "SHA512",
        "--output",
        target,
        release,
    )


def rest() -> None:
    """End the agent that gpg has started for this key."""
    run("gpgconf", "--kill", "gpg-agent", env=_env())


def _gpg(*words: str | Path) -> str:
    return run("gpg", "--batch", "--quiet", "--no-tty", *words, env=_env())


def _env() -> dict[str, str]:
    return os.environ | {"GNUPGHOME": str(places.signing())}
