"""Entry point for gunicorn: users.wsgi:app."""

from users.application import create_app

app = create_app()
