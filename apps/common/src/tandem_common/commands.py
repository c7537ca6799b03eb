"""The command line of a service: `<service> migrate` and its own commands."""

import argparse
import sys
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from tandem_common import logs
from tandem_common.migrations import upgrade
from tandem_common.problems import ProblemError
from tandem_common.settings import DatabaseSettings

TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: try again."""
WRONG_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h."""

Command = Callable[[DatabaseSettings], None]


def run(package: str, more: Mapping[str, tuple[str, Command]] | None = None) -> int:
    """Parse the command line and run the command; the result is the exit status.

    `more` maps a command's name to its help text and function.
    """
    commands: dict[str, tuple[str, Command]] = {
        "migrate": (
            "bring the database to this release's schema (as its owner)",
            lambda settings: upgrade(settings, package),
        ),
        **(more or {}),
    }
    parser = argparse.ArgumentParser(prog=package)
    chosen = parser.add_subparsers(dest="command", required=True)
    for name, (help_text, _) in commands.items():
        chosen.add_parser(name, help=help_text, description=help_text)
    arguments = parser.parse_args()
    try:
        settings = DatabaseSettings.load()
        logs.configure(settings)
        commands[arguments.command][1](settings)
    except ValidationError as error:
        print(f"{package}: wrong configuration: {error}", file=sys.stderr)
        return WRONG_CONFIGURATION
    except ProblemError as error:
        print(f"{package} {arguments.command}: {error.title}: {error.detail}", file=sys.stderr)
        return TEMPORARY_FAILURE
    return 0
