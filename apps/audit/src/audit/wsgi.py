"""Entry point for gunicorn: audit.wsgi:app."""

from audit.application import create_app

app = create_app()
