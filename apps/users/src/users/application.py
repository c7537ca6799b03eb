"""The users application."""

from datetime import timedelta

from flask import Flask
from tandem_common.application import create_application
from tandem_common.database import Database
from tandem_common.metrics import Metrics
from tandem_common.tokens import Issuer, Verifier, read_private_key, read_public_keys

from users import views
from users.accounts import Accounts
from users.failures import Failures
from users.passwords import Passwords
from users.refresh import RefreshTokens
from users.settings import UsersSettings


def create_app(settings: UsersSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or UsersSettings.load()
    metrics = Metrics()
    database = Database(settings, metrics.registry)
    key = read_private_key(settings.jwt_key.get_secret_value())
    names = {"issuer": settings.jwt_issuer, "audience": settings.jwt_audience}
    issuer = Issuer(key, lifetime_seconds=settings.token_lifetime_seconds, **names)
    others = read_public_keys(settings.jwt_public.get_secret_value()) if settings.jwt_public else []
    verifier = Verifier([key.public_key(), *others], **names)
    refresh_tokens = RefreshTokens(
        database,
        timedelta(seconds=settings.refresh_lifetime_seconds),
        timedelta(seconds=settings.refresh_grace_seconds),
    )
    failures = Failures(database, settings.login_failure_seconds, metrics.registry)
    accounts = Accounts(database, Passwords(settings), issuer, refresh_tokens, failures)
    app = create_application(
        "users", settings, views.build(accounts, verifier), metrics=metrics, database=database
    )
    app.extensions["failures"] = failures
    return app
