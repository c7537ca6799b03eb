"""What users tells others, in its outbox."""

import uuid
from datetime import datetime
from typing import ClassVar

from pydantic import AwareDatetime, Field
from tandem_common.events import EventData

from users.models import User

UNKNOWN = "unknown"
"""Subject of failed logins that belong to no account."""


class UserRegistered(EventData):
    """Somebody made an account."""

    type: ClassVar[str] = "user.registered"
    version: ClassVar[int] = 1

    user_id: uuid.UUID
    email: str = Field(min_length=1)
    name: str
    language: str = Field(description="Of mails: en or ru")
    created_at: AwareDatetime

    @classmethod
    def of(cls, user: User) -> "UserRegistered":
        """From its row."""
        return cls(
            user_id=user.id,
            email=user.email,
            name=user.name,
            language=user.language,
            created_at=user.created_at,
        )


class UserLoggedIn(EventData):
    """Somebody logged in with the password; refreshed tokens are no login."""

    type: ClassVar[str] = "user.logged_in"
    version: ClassVar[int] = 1

    user_id: uuid.UUID


class LoginFailed(EventData):
    """Attempts to log in with a wrong password, some seconds of them together."""

    type: ClassVar[str] = "user.login_failed"
    version: ClassVar[int] = 1

    user_id: uuid.UUID | None = Field(description="None: of addresses without an account")
    count: int = Field(ge=1, description="How many attempts")
    first_at: AwareDatetime
    last_at: AwareDatetime

    @classmethod
    def of(cls, user_id: uuid.UUID | None, count: int, first: datetime, last: datetime) -> "LoginFailed":
        """From what was counted."""
        return cls(user_id=user_id, count=count, first_at=first, last_at=last)
