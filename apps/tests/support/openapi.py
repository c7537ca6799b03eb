"""The OpenAPI documents that are kept beside the code."""

import json
import os
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

APPS = Path(__file__).parents[2]


def check(client: FlaskClient, name: str) -> None:
    """Compare the served document with the kept one."""
    served = client.get(f"/{name}/openapi.json").json
    assert served is not None
    compare(served, name)


def compare(served: dict[str, Any], name: str) -> None:
    """The same for a document that is at hand; UPDATE_OPENAPI=1 rewrites the kept one."""
    served = {**served, "info": {**served["info"], "version": "0"}}
    kept = APPS / name / "openapi.json"
    if os.environ.get("UPDATE_OPENAPI"):
        kept.write_text(json.dumps(served, indent=2, sort_keys=True) + "\n")
    assert json.loads(kept.read_text()) == served, "run: make -C apps openapi"
