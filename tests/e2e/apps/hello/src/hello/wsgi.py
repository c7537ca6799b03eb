"""The web application."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, jsonify

from . import database

LONGEST_SECONDS = 10.0
# For tests of releases that fail: "start" or "health".
BROKEN = os.environ.get("HELLO_BROKEN", "")

if BROKEN == "start":
    raise RuntimeError("this release is broken on purpose")
app = Flask(__name__)


@app.get("/hello/")
def greet() -> Response:
    """Say who greets, and how often it was said where there is a database."""
    answer: dict[str, object] = {
        "service": os.environ.get("SERVICE_NAME"),
        "host": os.environ.get("HOST_NAME"),
        "instance": os.environ.get("INSTANCE"),
        "process": os.getpid(),
    }
    if database.configured():
        database.run("insert into greetings default values")
        answer["greetings"] = database.run("select count(*) from greetings")[0][0]
    return jsonify(answer)


@app.get("/hello/slow/<float:seconds>")
def greet_slowly(seconds: float) -> Response:
    """Take a while: for tests of what happens to requests in flight."""
    time.sleep(min(seconds, LONGEST_SECONDS))
    return greet()


@app.get("/health/ready")
def ready() -> tuple[str, int]:
    """Tell whether it can serve."""
    if BROKEN == "health":
        return "broken on purpose\n", 503
    if database.configured():
        database.run("select 1")
    return "ready\n", 200
