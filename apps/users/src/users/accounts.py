"""What can be done with accounts."""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.events import publish
from tandem_common.logs import about
from tandem_common.problems import Conflict, Unauthorized
from tandem_common.tokens import Issuer

from users.events import UserLoggedIn, UserRegistered
from users.failures import Failures
from users.models import User
from users.passwords import Passwords
from users.refresh import RefreshTokens


@dataclass(frozen=True)
class Grant:
    """What a client gets to act for a user."""

    access_token: str
    refresh_token: str


@dataclass(frozen=True)
class Accounts:
    """Accounts in the database."""

    database: Database
    passwords: Passwords
    issuer: Issuer
    refresh_tokens: RefreshTokens
    failures: Failures

    def register(self, email: str, password: str, name: str, language: str) -> User:
        """Make an account; Conflict if the (normalised) address has one."""
        values = {
            "id": uuid.uuid4(),
            "email": email,
            "name": name,
            "language": language,
            "announced": True,
            "password_hash": self.passwords.hash(password),
        }

        def work(session: Session) -> User | None:
            statement = insert(User).values(values).on_conflict_do_nothing(index_elements=[User.email])
            made = session.scalars(statement.returning(User)).one_or_none()
            if made is not None:
                publish(session, UserRegistered.of(made), subject=str(made.id))
            return made

        user = self.database.transaction(work)
        if user is None:
            raise Conflict(
                "email-taken", "E-mail address taken", "There is an account with this e-mail address."
            )
        about(user_id=user.id)
        return user

    def log_in(self, email: str | None, password: str) -> Grant:
        """Tokens. Unknown address and wrong password take the same time and give the same error."""
        user = self._find(email) if email else None
        if not self.passwords.matches(user.password_hash if user else None, password) or user is None:
            self.failures.add(user.id if user else None)
            raise Unauthorized("E-mail address or password is wrong.")
        about(user_id=user.id)
        logged_in = UserLoggedIn(user_id=user.id)
        refresh_token = self.refresh_tokens.issue(
            user.id, lambda session: publish(session, logged_in, subject=str(logged_in.user_id))
        )
        return Grant(self.issuer.issue(user.id, user.roles), refresh_token)

    def refresh(self, token: str) -> Grant:
        """New tokens for a refresh token; all that do not count give the same error."""
        found = self.refresh_tokens.rotate(token)
        if found is None:
            raise Unauthorized("The refresh token does not count: log in again.")
        about(user_id=found.user_id)
        return Grant(self.issuer.issue(found.user_id, found.roles), found.successor)

    def log_out(self, token: str) -> None:
        """End what began with the login that led to this refresh token, if anything did."""
        self.refresh_tokens.revoke(token)

    def get(self, user_id: uuid.UUID) -> User | None:
        """The account with this id."""
        return self.database.read(lambda session: session.get(User, user_id), fresh=True)

    def _find(self, email: str) -> User | None:
        statement = select(User).where(User.email == email)
        return self.database.read(lambda session: session.scalars(statement).one_or_none(), fresh=True)
