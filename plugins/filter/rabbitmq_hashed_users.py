# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Users of a broker with what it stores of their passwords."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import rabbitmq_passwords

DOCUMENTATION = r"""
name: rabbitmq_hashed_users
short_description: Users of a broker with what it stores of their passwords
description:
  - Returns the users with C(password_hash) in the place of C(secret), so that the passwords stay on the controller.
    The same user and password give the same hash.
positional: passwords
options:
  _input:
    description: Users, each with C(name).
    type: list
    elements: dict
    required: true
  passwords:
    description: Their passwords, in the same order. Long random ones, as P(tandem.platform.secret#lookup) makes them.
    type: list
    elements: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
users: "{{ [{'name': 'orders.1'}] | tandem.platform.rabbitmq_hashed_users(query('tandem.platform.secret', 'orders')) }}"
"""

RETURN = r"""
_value:
  description: The users.
  type: list
  elements: dict
"""


def hashed_users(users: Sequence[Mapping[str, Any]], passwords: Sequence[str]) -> list[dict[str, Any]]:
    """Return the users with their hashes; a wrong number of passwords or an empty one is an error."""
    try:
        return rabbitmq_passwords.hashed_users(users, passwords)
    except ValueError as error:
        raise AnsibleFilterError(f"rabbitmq_hashed_users: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"rabbitmq_hashed_users": hashed_users}
