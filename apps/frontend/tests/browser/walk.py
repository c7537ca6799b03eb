"""Walks through the frontend in Chromium, over the stand-in of the services and with the built assets.

Usage: python walk.py FOLDER [FILTER]. FOLDER has the built assets/ and a copy of this folder with its node_modules/;
screenshots are put there.
Paths below /_test/ change how the services behave: /_test/<service>/<down|vague|delay>/<number>.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask
from frontend import assets
from frontend.application import create_app
from frontend.settings import FrontendSettings
from products.samples import read
from support.shop import Quiet, Shop, happened, product
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import make_server

PICTURES = ("cup", "teapot", "pan", "blanket", "lamp", "pen", "bag", "bicycle", "game", "record", "unknown")


def samples() -> list[dict[str, Any]]:
    """The sample catalogue."""
    found = []
    for row in read():
        number = int(str(row["id"]))
        more = {
            name: row[name]
            for name in ("category", "picture", "sku", "available", "description")
            if name in row
        }
        more = {"picture": PICTURES[number % len(PICTURES)], **more}
        found.append(product(number, str(row["name"]), int(str(row["amount"])), **more))
    return found


def events() -> list[dict[str, Any]]:
    """Something of each kind, and more orders than a page has."""
    user = "8f7f0f6e-5f3e-4f3b-9f7e-0123456789ab"
    found = [
        happened("user.login_failed", "2026-11-25T13:48:00+00:00", None, count=7),
        happened("user.logged_in", "2026-11-25T13:47:00+00:00", user),
        happened("user.registered", "2026-11-25T13:46:00+00:00", user, email="анна@example.org", name="Анна"),
    ]
    for minute in range(45, 5, -1):
        at = f"2026-11-25T13:{minute:02}:00+00:00"
        items = [{"product_id": 1, "quantity": 2, "name": "Enamel mug", "amount": 69000, "currency": "RUB"}]
        found.append(happened("order.created", at, user, items=items, amount=138000, currency="RUB"))
    return found


def switches(shop: Shop) -> Flask:
    """Makes services fail from outside."""
    app = Flask("switches")

    @app.get("/<service>/<switch>/<float(signed=False):value>")
    @app.get("/<service>/<switch>/<int:value>")
    def turn(service: str, switch: str, value: float) -> str:
        fake = next(one for one in shop.services if one.name == service)
        setattr(fake, switch, value)
        return "done"

    @app.get("/administrator/<email>")
    def make_administrator(email: str) -> str:
        shop.administrators.add(email)
        return "done"

    return app


def application(dist: Path) -> WSGIApplication:
    """Pages, static files and switches."""
    shop = Shop(samples())
    shop.events = events()
    shop.start()
    manifest = json.loads((dist / "manifest.json").read_text())
    assets.Assets.load = classmethod(lambda cls: cls(manifest))
    app = create_app(FrontendSettings(log_level="warning", write_seconds=3, **shop.urls))
    pages = SharedDataMiddleware(app, {assets.BASE.rstrip("/"): str(dist)}, cache=False)
    return DispatcherMiddleware(pages, {"/_test": switches(shop)})


def main() -> int:
    """Serve, walk, and say how it went."""
    folder, wanted = Path(sys.argv[1]).resolve(), sys.argv[2:]
    server = make_server(
        "localhost", 0, application(folder / "assets" / "dist"), threaded=True, request_handler=Quiet
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://localhost:{server.server_port}"
    command = ["node", "check.js", url, str(folder / "screenshots"), *wanted]
    return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
