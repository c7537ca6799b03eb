"""Entry point for gunicorn: frontend.wsgi:app."""

from werkzeug.middleware.proxy_fix import ProxyFix

from frontend.application import create_app

# NGINX says under which name and scheme the user reached us, and takes out what clients say themselves.
app = ProxyFix(create_app(), x_for=0, x_proto=1, x_host=1)
