"""A browser without a screen: cookies, its own headers, and the pages it gets."""

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

ORIGIN = "https://shop.example"
PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
SCRIPT = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
PASSWORD = "correct horse"


class Browser:
    """One person's browser."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=ORIGIN, headers={**PAGE, **headers})

    def post(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> TestResponse:
        return self.client.post(
            path, base_url=ORIGIN, headers=PAGE if headers is None else headers, data=form
        )

    def home(self, parts: str = "") -> dict[str, Any]:
        """The answer of /api/home."""
        answer = self.client.get(f"/api/home{parts}", base_url=ORIGIN, headers=SCRIPT)
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        return answer.json

    def register(self, email: str, name: str = "Ann") -> TestResponse:
        answer = self.post("/en/account/register", email=email, name=name, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return answer

    def cookie(self, name: str) -> str | None:
        cookie = self.client.get_cookie(name, domain="shop.example")
        return cookie.value if cookie else None

    def forget(self, name: str) -> None:
        """As the browser does when a cookie's time is over."""
        self.client.delete_cookie(name, domain="shop.example")


def text(answer: TestResponse) -> str:
    """What can be read on a page."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def field(answer: TestResponse, name: str) -> str:
    """Value of an input of the page."""
    found = re.search(rf'<input [^>]*name="{name}"[^>]*value="([^"]*)"', answer.text)
    assert found, answer.text
    return unescape(found[1])
