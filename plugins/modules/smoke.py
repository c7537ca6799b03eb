#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Ask URLs through given addresses, as a user's browser does, and report every one that does not answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: smoke
short_description: Ask URLs through given addresses and report those that fail
description:
  - Sends GET requests over HTTPS to each address, with the public name as SNI and Host, and verifies the certificate.
  - Repeats until every request succeeds or the time is over. Changes nothing.
options:
  name:
    description: Public name to ask for.
    type: str
    required: true
  addresses:
    description: Addresses of the edges, one connection each.
    type: list
    elements: str
    required: true
  paths:
    description: Paths that must answer below status 500.
    type: list
    elements: str
    required: true
  ca:
    description: PEM text of the authority that signed the certificate; the system's authorities when empty.
    type: str
    default: ""
  port:
    description: Port of the edges.
    type: int
    default: 443
  timeout:
    description: Seconds until the last try.
    type: int
    default: 30
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Check the shop through both edges
  tandem.platform.smoke:
    name: shop.example.org
    addresses: [192.0.2.10, 198.51.100.10]
    paths: [/products/]
"""

RETURN = r"""
answers:
  description: Status by address and path.
  type: dict
  returned: always
"""

REQUEST_TIMEOUT = 5.0  # seconds for one request; slower is a failure to a person


class EdgeConnection(http.client.HTTPSConnection):
    """An HTTPS connection to one address that presents and verifies another name."""

    def __init__(self, name: str, address: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(name, port, timeout=REQUEST_TIMEOUT, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        """Connect to the address; the certificate must be valid for the name."""
        raw = socket.create_connection((self._address, self.port), timeout=REQUEST_TIMEOUT)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


def ask(name: str, address: str, port: int, path: str, context: ssl.SSLContext) -> str:
    """Return the status as text, or what went wrong. One request, no redirect followed."""
    connection = EdgeConnection(name, address, port, context)
    try:
        connection.request("GET", path, headers={"User-Agent": "tandem-smoke"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def failed(answer: str) -> bool:
    """Tell whether an answer is none, or a server's error."""
    return not answer.isdigit() or int(answer) >= 500


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 443},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params
    context = ssl.create_default_context(cadata=params["ca"] or None)
    waiting = [(address, path) for address in params["addresses"] for path in params["paths"]]
    answers: dict[str, dict[str, str]] = {address: {} for address in params["addresses"]}
    deadline = time.monotonic() + params["timeout"]
    while True:
        for address, path in waiting:
            answers[address][path] = ask(params["name"], address, params["port"], path, context)
        waiting = [(address, path) for address, path in waiting if failed(answers[address][path])]
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(1)
    if waiting:
        lines = [
            f"https://{params['name']}{path} through {address}: {answers[address][path]}"
            for address, path in waiting
        ]
        module.fail_json(
            msg="These do not answer as they should:\n  "
            + "\n  ".join(lines)
            + "\nNext: on that edge, `journalctl -u nginx"
            " -u haproxy -n 50`; then `ansible-playbook playbooks/service.yml -e service=NAME -e verb=ps`.",
            answers=answers,
        )
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
