# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The id of a key that signs tokens."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ..plugin_utils import token_keys

DOCUMENTATION = r"""
name: key_id
short_description: The RFC 7638 thumbprint of a public key
description:
  - Returns the id under which tokens name the key that signed them.
options:
  _input:
    description: A P-256 public key in PEM form, as the lookup P(tandem.platform.secret#lookup) returns it with
      C(public=true).
    type: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
key_id: >-
  {{ lookup('tandem.platform.secret', 'services/users/jwt_key', kind='ec-p256', public=true)
     | tandem.platform.key_id }}
"""

RETURN = r"""
_value:
  description: The id, 43 characters.
  type: str
"""


def key_id(public_pem: str) -> str:
    """Return the key's id; something else than a P-256 public key is an error."""
    try:
        return token_keys.key_id(public_pem)
    except ValueError as error:
        raise AnsibleFilterError(f"key_id: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"key_id": key_id}
