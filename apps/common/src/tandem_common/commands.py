"""The command line of a service: `<service> migrate`, what it does with events, and its own commands."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.registry import Collector
from pydantic import ValidationError

from tandem_common import logs
from tandem_common.events import Handlers, dead_letters, queue_length, run_consumer, run_relay
from tandem_common.events.consumer import WrongConfiguration
from tandem_common.exposing import process_registry
from tandem_common.problems import ProblemError
from tandem_common.redaction import Redaction
from tandem_common.settings import BrokerSettings, DatabaseSettings

REFUSED = 65
"""EX_DATAERR of sysexits.h: the same again will be refused again."""
TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: try again."""
WRONG_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h."""


def _none(_parser: argparse.ArgumentParser) -> None:
    """A command without arguments."""


@dataclass(frozen=True)
class Command:
    """What `<service> <name>` does."""

    help: str
    work: Callable[..., None]
    """Gets the settings and, by keyword, its arguments."""
    arguments: Callable[[argparse.ArgumentParser], None] = _none
    """Declares the arguments."""
    settings: type[DatabaseSettings] = DatabaseSettings
    """What it needs to be told."""


def run(
    package: str,
    more: Mapping[str, Command] | None = None,
    *,
    outbox: bool = False,
    handlers: Handlers | Callable[[BrokerSettings], Handlers] | None = None,
    metrics: Sequence[Collector] = (),
) -> int:
    """Parse the command line and run the command; the result is the exit status.

    A service with an outbox has the command `relay`; one with handlers of events has `consume` and `dead-letters`.
    `metrics` are the service's own, which its consumer shows.
    """
    commands = {**_commands(package, outbox, handlers, metrics), **(more or {})}
    parser = argparse.ArgumentParser(prog=package)
    chosen = parser.add_subparsers(dest="command", required=True)
    for name, command in commands.items():
        command.arguments(chosen.add_parser(name, help=command.help, description=command.help))
    arguments = vars(parser.parse_args())
    name = arguments.pop("command")
    try:
        settings = commands[name].settings.load()
        logs.configure(settings)
        commands[name].work(settings, **arguments)
    except (ValidationError, WrongConfiguration) as error:
        print(f"{package}: wrong configuration: {error}", file=sys.stderr)
        return WRONG_CONFIGURATION
    except ProblemError as error:
        print(
            Redaction.of_process().text(f"{package} {name}: {error.title}: {_reason(error)}"), file=sys.stderr
        )
        return TEMPORARY_FAILURE if error.status >= 500 else REFUSED
    return 0


def _commands(
    package: str,
    outbox: bool,
    handlers: Handlers | Callable[[BrokerSettings], Handlers] | None,
    metrics: Sequence[Collector],
) -> dict[str, Command]:
    """What the shared package does for this service."""
    commands = {
        "migrate": Command(
            "bring the database to this release's schema (as its owner)",
            lambda settings: _migrate(settings, package),
        )
    }
    if outbox:
        commands["relay"] = Command(
            "send the outbox's events to the broker, until SIGTERM",
            lambda settings: run_relay(settings, registry=process_registry(settings)),
            settings=BrokerSettings,
        )
    if handlers is not None:
        commands["consume"] = Command(
            "handle events, until SIGTERM",
            lambda settings: run_consumer(
                settings,
                handlers(settings) if callable(handlers) else handlers,
                registry=process_registry(settings, metrics),
            ),
            settings=BrokerSettings,
        )
        commands["queue-length"] = Command(
            "how many messages wait for this consumer", queue_length.work, settings=BrokerSettings
        )
        commands["dead-letters"] = Command(
            "messages that could not be handled",
            dead_letters.work,
            dead_letters.declare,
            settings=BrokerSettings,
        )
    return commands


def _migrate(settings: DatabaseSettings, package: str) -> None:
    # Here, because only this command needs Alembic, and every worker starts by this module.
    from tandem_common.migrations import upgrade

    upgrade(settings, package)


def _reason(error: ProblemError) -> str:
    return "; ".join(f"{wrong.field} {wrong.reason}" for wrong in error.errors or []) or str(error.detail)
