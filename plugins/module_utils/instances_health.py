# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Ask an instance for its health, as the door does."""

from __future__ import annotations

import http.client

ADDRESS = "127.0.0.1"
TIMEOUT_SECONDS = 5.0
SHOWN = 200


def problem(port: int, path: str) -> str:
    """Return what is wrong with the instance on a port, "" when it answers 200."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close", "User-Agent": "tandem"})
        answer = connection.getresponse()
        text = answer.read(SHOWN).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"http://{ADDRESS}:{port}{path} does not answer ({error or type(error).__name__})"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"http://{ADDRESS}:{port}{path} answers {answer.status}: {text}"
