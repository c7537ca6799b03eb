"""Make a signing key whose id begins with a dash, which programs may take for an option: `… dashed_key FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.tokens import Key


def dashed_key() -> Key:
    """Return such a key: one in 64 is."""
    while not (key := Key(ec.generate_private_key(ec.SECP256R1()))).id.startswith("-"):
        pass
    return key


def main() -> None:
    """Write it as the store of secrets would."""
    file = Path(sys.argv[1])
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(
        dashed_key().private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


if __name__ == "__main__":
    main()
