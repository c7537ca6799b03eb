# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Look up which certificates of a host have to be issued."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.certificates import (
    CertificateError,
    Pair,
    check_provided,
    now_utc,
    paths_of,
    why_authority_due,
    why_due,
)

DOCUMENTATION = r"""
name: certificates_due
short_description: Which certificates have to be issued
description:
  - Compares the certificates in the environment's folder on the controller with those that are wanted, and
    returns the items whose certificate is missing, ends soon, or was made for other names, usages, another
    key or another authority.
  - Without terms it returns whether the authority itself is due, as a list of no or one reason.
  - Checks certificates of the owner's own (C(provided)); those are never due.
options:
  _terms:
    description: Items as in C(certificates_items) of role certificates.
    type: list
    elements: dict
  directory:
    description: The environment's folder.
    type: str
    required: true
  host:
    description: Name of the host that they are for.
    type: str
    default: ""
  renew_days:
    description: Days before the end at which a certificate is issued anew.
    type: int
    default: 30
  valid_days:
    description: Days for which certificates are issued; the authority must outlive them.
    type: int
    default: 825
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Say which certificates are due
  ansible.builtin.debug:
    msg: "{{ query('tandem.platform.certificates_due', *items, directory=folder, host=inventory_hostname) }}"
"""

RETURN = r"""
_raw:
  description: The items that are due, each with C(reason); or the authority's reason.
  type: list
"""


class LookupModule(LookupBase):
    """The lookup `tandem.platform.certificates_due`."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the due items, each with the reason."""
        self.set_options(var_options=variables, direct=kwargs)
        directory, host = str(self.get_option("directory")), str(self.get_option("host"))
        authority = f"{directory}/ca/ca"
        try:
            if not terms:
                pair = self._pair(f"{authority}.pem", f"{authority}.key")
                reason = why_authority_due(pair, now_utc(), int(self.get_option("valid_days")))
                return [reason] if reason else []
            return self._due(terms, directory, host, self._read(f"{authority}.pem"))
        except CertificateError as error:
            raise AnsibleError(f"{error} (folder {directory})") from None

    def _due(
        self, items: list[Mapping[str, Any]], directory: str, host: str, authority: bytes | None
    ) -> list[dict[str, Any]]:
        due = []
        for item in items:
            pair = self._pair(*paths_of(item, directory, host))
            if item.get("provided"):
                check_provided(str(item["name"]), pair, now_utc())
                continue
            reason = why_due(pair, authority, item, now_utc(), int(self.get_option("renew_days")))
            if reason:
                due.append({**item, "reason": reason})
        return due

    def _pair(self, certificate: str, key: str) -> Pair:
        return Pair(self._read(certificate), self._read(key))

    def _read(self, path: str) -> bytes | None:
        """Return a file's content, decrypted if need be, or None when there is no such file."""
        if not Path(path).exists():
            return None
        return str(self._loader.get_text_file_contents(path)).encode()
