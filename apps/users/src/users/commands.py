"""Command line: users migrate, relay, expire, announce, grant-admin, revoke-admin."""

import argparse
from functools import partial

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.events import publish
from tandem_common.problems import InvalidInput, NotFound
from tandem_common.settings import DatabaseSettings

from users import refresh
from users.emails import normalise
from users.events import UserRegistered
from users.models import User

log = structlog.get_logger(__name__)
ANNOUNCE_AT_ONCE = 200


def main() -> int:
    """Run the command that was asked for."""
    commands = {
        "expire": Command("delete refresh tokens that are past use", expire),
        "announce": Command("tell others of accounts that were made before there were events", announce),
        "grant-admin": Command("make an account an administrator's", partial(_set_admin, admin=True), _email),
        "revoke-admin": Command("take that back", partial(_set_admin, admin=False), _email),
    }
    return run("users", commands, outbox=True)


def expire(settings: DatabaseSettings) -> None:
    """Delete all families of refresh tokens that have expired."""
    database = Database(settings)
    total = 0
    while count := refresh.expire(database):
        total += count
    log.info("refresh tokens expired", families=total)


def announce(settings: DatabaseSettings) -> None:
    """Publish user.registered for every account that has no such event; a second run finds none."""
    database = Database(settings)
    total = 0
    while count := database.transaction(_announce):
        total += count
    log.info("accounts announced", accounts=total)


def _announce(session: Session) -> int:
    some = select(User).where(~User.announced).order_by(User.id).limit(ANNOUNCE_AT_ONCE)
    users = session.scalars(some.with_for_update(skip_locked=True)).all()
    for user in users:
        user.announced = True
        publish(session, UserRegistered.of(user), subject=str(user.id))
    return len(users)


def _email(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", metavar="EMAIL", help="address of the account")


def _set_admin(settings: DatabaseSettings, email: str, *, admin: bool) -> None:
    """Change an account's role; tokens have it from the next login or refresh on."""
    try:
        address = normalise(email)
    except ValueError as error:
        raise InvalidInput.of("EMAIL", str(error)) from error
    change = update(User).where(User.email == address).values(admin=admin).returning(User.id)
    user_id = Database(settings).transaction(lambda session: session.scalar(change))
    if user_id is None:
        raise NotFound(f"There is no account {address}.")
    log.info("administrator granted" if admin else "administrator revoked", user_id=str(user_id))
