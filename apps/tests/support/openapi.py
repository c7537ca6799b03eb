"""The OpenAPI documents that are kept beside the code."""

import json
import os
from pathlib import Path

from flask.testing import FlaskClient

APPS = Path(__file__).parents[2]


def check(client: FlaskClient, name: str) -> None:
    """Compare the served document with the kept one; UPDATE_OPENAPI=1 rewrites that."""
    served = client.get(f"/{name}/openapi.json").json
    assert served is not None
    served["info"]["version"] = "0"
    kept = APPS / name / "openapi.json"
    if os.environ.get("UPDATE_OPENAPI"):
        kept.write_text(json.dumps(served, indent=2, sort_keys=True) + "\n")
    assert json.loads(kept.read_text()) == served, "run: make -C apps openapi"
