"""A user at a terminal on `world`: curl, one edge, one person."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import Lab

PASSWORD = "a long enough pass phrase"


@dataclass(frozen=True)
class Answer:
    """Status (0 when nothing answered), headers in lower case, body as text, cookies as name=value."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass
class Browser:
    """Requests from `world` through one edge's address; certificates are verified."""

    lab: Lab
    edge: str | None
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    ca: str = "/etc/ssl/tandem-lab-ca.pem"

    def trust(self, pem: str) -> None:
        """Put the lab's authority on `world`, as a user would import it."""
        self.lab.run("world", ["tee", self.ca], input=pem).check_returncode()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        scheme: str = "https",
        data: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request; underscores in header names become dashes."""
        command = ["curl", "-sS", "-i", "--max-time", "15", "--cacert", self.ca]
        # A HEAD by -X would wait for a body.
        command += ["--head"] if method == "HEAD" else ["-X", method]
        if self.edge:
            for port in (80, 443):
                command += ["--resolve", f"{self.name}:{port}:{self.edge}"]
        if body is not None:
            data = json.dumps(body)
        if data is not None:
            headers.setdefault("Content_Type", "application/json")
            command += ["--data-binary", data]
        for key, value in {**self.headers, **headers}.items():
            command += ["-H", f"{key.replace('_', '-')}: {value}"]
        done = self.lab.run("world", [*command, f"{scheme}://{self.name}{path}"], timeout=30)
        if done.returncode:
            return Answer(0, {}, done.stderr)
        head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
        first, *rest = head.splitlines()
        pairs = (line.partition(":") for line in rest)
        named = [(key.lower(), value.strip()) for key, _, value in pairs]
        cookies = tuple(value.split(";")[0] for key, value in named if key == "set-cookie")
        return Answer(int(first.split()[1]), dict(named), text, cookies)


def visitor(lab: Lab, edge: str | None = None) -> Browser:
    """Somebody new on `world`, who trusts the lab's authority; at an edge's address, or by DNS."""
    env = lab.env()
    browser = Browser(lab, edge, env["public_names"][0])
    browser.trust(Path(env["ca_file"]).read_text())
    return browser


def logged_in(shop: Browser, name: str = "Анна") -> str:
    """Register a new person and let the browser send their token from now on; returns the e-mail address."""
    email = f"{uuid.uuid4().hex[:10]}@example.org"
    registered = shop.ask("POST", "/users/register", {"email": email, "password": PASSWORD, "name": name})
    assert registered.status == 201, registered
    token = shop.ask("POST", "/users/login", {"email": email, "password": PASSWORD})
    assert token.status == 200, token
    assert token.json()["token_type"].lower() == "bearer"
    shop.headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
    return email
