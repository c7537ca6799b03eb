# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The single keys of a text in which public keys follow one another."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ..plugin_utils import token_keys

DOCUMENTATION = r"""
name: public_keys
short_description: The keys of a text in which public keys follow one another
description:
  - Returns each of them as a text of its own, for programs that take one key per file.
options:
  _input:
    description: Public keys in PEM form, as the lookup P(tandem.platform.secret#lookup) returns them with
      C(public=true).
    type: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
keys: >-
  {{ lookup('tandem.platform.secret', 'services/users/jwt_key', kind='ec-p256', public=true)
     | tandem.platform.public_keys }}
"""

RETURN = r"""
_value:
  description: The keys.
  type: list
  elements: str
"""


def public_keys(pem: str) -> list[str]:
    """Return the keys; a text that is not made of public keys is an error."""
    try:
        return token_keys.public_keys(pem)
    except ValueError as error:
        raise AnsibleFilterError(f"public_keys: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"public_keys": public_keys}
