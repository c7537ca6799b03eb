"""Command line: users migrate."""

from tandem_common.commands import run


def main() -> int:
    """Run the command that was asked for."""
    return run("users")
