"""The audit application."""

from flask import Flask
from tandem_common.application import create_application
from tandem_common.database import Database
from tandem_common.metrics import Metrics
from tandem_common.tokens import Verifier, read_public_keys

from audit import views
from audit.history import History
from audit.settings import AuditSettings


def create_app(settings: AuditSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or AuditSettings.load()
    if settings.jwt_public is None:
        raise ValueError("audit needs the credential jwt_public: it could verify no token")
    keys = read_public_keys(settings.jwt_public.get_secret_value())
    verifier = Verifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    metrics = Metrics()
    database = Database(settings, metrics.registry)
    api = views.build(History(database), verifier)
    return create_application("audit", settings, api, metrics=metrics, database=database)
