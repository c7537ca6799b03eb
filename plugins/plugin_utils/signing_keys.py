# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""A key that signs, and its change without anybody noticing.

Beside the secret KEY, the present key, the store may have

- KEY.next: the private key that will be the present one. Everybody verifies with it already, nobody signs.
- KEY.previous: the public half of the key that was the present one. Nobody has its private half any more.

What is handed out for verifying are the public halves of all that are there. Each step can be repeated after whatever
stopped it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .problems import did_you_mean, listing
from .secrets import SecretError, Store, generate, public_key

NEXT = ".next"
PREVIOUS = ".previous"
KIND = "ec-p256"


def public_halves(store: Store, name: str, private_pem: str) -> list[str]:
    """Return the public halves with which to verify, PEM; ``private_pem`` is the present key.

    Their order says nothing; it stays when the next key becomes the present one. Then most of those who verify have
    nothing to load anew at that moment. Raises `SecretError`.
    """
    found = {public_key(name, private_pem)}
    following = store.find(name + NEXT)
    if following is not None:
        found.add(public_key(name + NEXT, following))
    previous = store.find(name + PREVIOUS)
    if previous is not None:
        found.add(previous)
    return sorted(found)


def secret_name(key: str, services: Mapping[str, Any]) -> str:
    """Return the name in the store of a key that is called SERVICE/SECRET in the catalog.

    ``services`` is the merged catalog. Raises `SecretError` for what is not a key of its own.
    """
    keys = sorted(
        f"{service}/{secret['name']}"
        for service, entry in services.items()
        for secret in entry["secrets"]
        if secret["kind"] == KIND
    )
    if key not in keys:
        cure = did_you_mean(key, keys, f"write SERVICE/SECRET, one of {listing(keys)}" if keys else "")
        raise SecretError(f"'{key}' is no key of the catalog (kind: {KIND}). Next: {cure}")
    return f"services/{key}"


@dataclass(frozen=True)
class SigningKey:
    """A key of the store; methods that change something tell whether they did."""

    store: Store
    name: str

    def prepare(self, least_seconds: float) -> bool:
        """Make the next key; nothing if there is one.

        The previous one stays: perhaps the last change stopped before the signer was told. Refuses (`SecretError`) when
        that change is not so many seconds old: tokens of the previous key still count, and `switch` would end them.
        """
        if self.store.find(self.name + NEXT) is not None:
            return False
        changed = self.store.changed_at(self.name + PREVIOUS)
        age = None if changed is None else time.time() - changed
        if age is not None and age < least_seconds:
            raise SecretError(
                f"{self.name} was changed {age:.0f} s ago. Next: run site.yml, in case that the playbook was "
                f"interrupted; change it again when {least_seconds:.0f} s are over."
            )
        self.store.get(self.name, KIND)  # there may be none at all yet
        self.store.put(self.name + NEXT, generate(KIND))
        return True

    def switch(self) -> bool:
        """Make the next key the present one, and keep the public half of the one before; nothing without a next one."""
        if self.store.find(self.name + NEXT) is None:
            return False
        present = public_key(self.name, self.store.get(self.name, KIND))
        self.store.put(self.name + PREVIOUS, present)
        self.store.rename(self.name + NEXT, self.name)
        return True

    def retire(self) -> bool:
        """Forget the previous key: what it signed counts no more. Refuses (`SecretError`) in the midst of a change."""
        if self.store.find(self.name + NEXT) is not None:
            raise SecretError(
                f"a change of {self.name} has begun. Next: finish it by running the playbook without retire."
            )
        return self.store.remove(self.name + PREVIOUS)

    def state(self) -> Sequence[str]:
        """Return what is there beside the present key: of ``next`` and ``previous``."""
        return [part[1:] for part in (NEXT, PREVIOUS) if self.store.find(self.name + part) is not None]
