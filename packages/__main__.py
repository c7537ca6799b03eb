"""`python -m packages [NAME...]`: build packages, as far as they are not cached, and publish the repository."""

from __future__ import annotations

import argparse
import sys

from packages.console import say
from packages.errors import PackagesError
from packages.making import make
from packages.recipes import DEFAULT, RECIPES_BY_NAME


def main() -> int:
    """Return 0, or 1 after saying what is wrong and what helps."""
    parser = argparse.ArgumentParser(prog="make packages", description=__doc__)
    known = ", ".join(RECIPES_BY_NAME)
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help=f"one of: {known}")
    names = parser.parse_args().names or DEFAULT
    try:
        link = make(names)
    except PackagesError as error:
        print(f"make packages: {error}", file=sys.stderr)
        return 1
    say(f"the repository is {link}")
    return 0


def _name(text: str) -> str:
    if text not in RECIPES_BY_NAME:
        raise argparse.ArgumentTypeError(f"{text} is not built here; known: {', '.join(RECIPES_BY_NAME)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
