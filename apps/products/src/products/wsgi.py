"""Entry point for gunicorn: products.wsgi:app."""

from products.application import create_app

app = create_app()
