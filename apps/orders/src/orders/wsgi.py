"""Entry point for gunicorn: orders.wsgi:app."""

from orders.application import create_app

app = create_app()
