"""Make a signing key whose id begins with a dash, which programs may take for an option: `… dashed_key FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.tandem.platform.plugins.plugin_utils.secrets import (
    generate,
    make_private_directories,
    write_private,
)

from tests.support.tokens import Key


def main() -> None:
    """Write one as the store of secrets would: one key in 64 is such."""
    file = Path(sys.argv[1])
    while not Key.of(pem := generate("ec-p256").encode()).id.startswith("-"):
        pass
    make_private_directories(file.parent)
    write_private(file, pem)


if __name__ == "__main__":
    main()
