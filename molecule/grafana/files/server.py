#!/usr/bin/python3
"""Stand-in for Grafana: reads settings, data sources and dashboards as Grafana does, and tells what it has read.

It answers `/api/health` to everybody, and all else to the administrator only.
"""

from __future__ import annotations

import base64
import configparser
import hmac
import json
import os
import re
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def expanded(text: str) -> str:
    """The text with the contents of the files that it names."""
    return re.sub(r"\$__file\{([^}]*)\}", lambda found: Path(found.group(1)).read_text().strip(), text)


def settings() -> configparser.ConfigParser:
    """The file that the command line names, with nothing but the values as they are."""
    file = next(word.removeprefix("--config=") for word in sys.argv if word.startswith("--config="))
    parser = configparser.ConfigParser(interpolation=None)
    with Path(file).open() as lines:
        parser.read_file(lines)
    return parser


CONFIG = settings()
PASSWORD = expanded(CONFIG["security"]["admin_password"])
SECRET_KEY = expanded(CONFIG["security"]["secret_key"])
PROVISIONING = Path(CONFIG["paths"]["provisioning"])
SOURCES = expanded((PROVISIONING / "datasources" / "tandem.yml").read_text())
FOLDER = re.search(r"path: (\S+)", (PROVISIONING / "dashboards" / "tandem.yml").read_text())
Path(CONFIG["paths"]["data"], "grafana.db").touch()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        if self.path == "/api/health":
            return self.answer(200, {"database": "ok"})
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if not hmac.compare_digest(base64.b64encode(f"admin:{PASSWORD}".encode()).decode(), given):
            return self.answer(401, {"message": "Unauthorized"})
        return self.answer(200, told())

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        # Without it the end of the connection is the end of the answer, and curl asks TLS to say that, too.
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def told() -> dict[str, Any]:
    """What was read."""
    folder = Path(FOLDER.group(1)) if FOLDER else Path("/nonexistent")
    return {
        "sources": SOURCES,
        "dashboards": {path.stem: json.loads(path.read_text())["title"] for path in folder.glob("*.json")},
        "secret_key_length": len(SECRET_KEY),
        "environment": {name: os.environ.get(name) for name in ("GOMAXPROCS", "GOMEMLIMIT")},
    }


def main() -> None:
    """Serve for ever."""
    server_settings = CONFIG["server"]
    server = ThreadingHTTPServer((server_settings["http_addr"], int(server_settings["http_port"])), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion[server_settings["min_tls_version"].replace("TLS1.", "TLSv1_")]
    context.load_cert_chain(server_settings["cert_file"], server_settings["cert_key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    server.serve_forever()


if __name__ == "__main__":
    main()
