"""The frontend over the stand-in of the services, with the built assets, on one local port.

Usage: python serve.py PORT ASSETS_DIST. Paths below /_test/ change how the services behave:
/_test/<service>/<down|vague|delay>/<number>.
"""

import json
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from frontend import assets
from frontend.application import create_app
from frontend.settings import FrontendSettings
from products.samples import read
from support.shop import Shop, product
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import run_simple

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


def switches(shop: Shop) -> Flask:
    """Makes services fail from outside."""
    app = Flask("switches")

    @app.get("/<service>/<switch>/<float(signed=False):value>")
    @app.get("/<service>/<switch>/<int:value>")
    def turn(service: str, switch: str, value: float) -> str:
        fake = next(one for one in shop.services if one.name == service)
        setattr(fake, switch, value)
        return "done"

    return app


def main() -> None:
    """Serve until killed."""
    port, dist = int(sys.argv[1]), Path(sys.argv[2])
    shop = Shop(samples())
    shop.start()
    manifest = json.loads((dist / "manifest.json").read_text())
    assets.Assets.load = classmethod(lambda cls: cls(manifest))
    app = create_app(FrontendSettings(log_level="warning", write_seconds=3, **shop.urls))
    pages = SharedDataMiddleware(app, {assets.BASE.rstrip("/"): str(dist)}, cache=False)
    run_simple("127.0.0.1", port, DispatcherMiddleware(pages, {"/_test": switches(shop)}), threaded=True)


if __name__ == "__main__":
    main()
