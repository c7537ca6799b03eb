# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between ``platform_gateway`` and the catalog."""

from __future__ import annotations

from .gateway import MAX_CLIENTS, MAX_KEYS, Gateway
from .problems import Report, did_you_mean, listing, shown
from .services import Catalog

WHERE = "platform_gateway"


def check_gateway(gateway: Gateway, catalog: Catalog, report: Report) -> None:
    """Refuse keys that are not the catalog's, a limit that can't be applied, and more than HAProxy should hold."""
    if gateway.tokens is not None:
        _check_keys(gateway.tokens.keys_of, catalog, report)
    elif gateway.limits.subject is not None:
        report.refuse(
            f"{WHERE}.limits.subject",
            "needs tokens: a request's subject is that of its verified token",
            "add platform_gateway.tokens, or remove this limit",
        )
    if len(gateway.clients) > MAX_CLIENTS:
        report.refuse(
            f"{WHERE}.clients",
            f"has {len(gateway.clients)} clients",
            f"keep at most {MAX_CLIENTS}; for more, keys belong into a service of their own",
        )


def _check_keys(paths: list[str], catalog: Catalog, report: Report) -> None:
    where = f"{WHERE}.tokens.keys_of"
    if not 1 <= len(paths) <= MAX_KEYS:
        report.refuse(
            where,
            f"names {len(paths)} keys",
            f"name 1 to {MAX_KEYS}: the one that signs, and during a change its successor",
        )
        return
    kinds = catalog.secret_kinds()
    pairs = sorted(path for path, kind in kinds.items() if kind == "ec-p256")
    for number, path in enumerate(paths):
        # An entry with problems of its own may have the secret; only its problems are reported then.
        if path.partition("/")[0] in catalog.names - set(catalog.services):
            continue
        here = where if len(paths) == 1 else f"{where}[{number}]"
        if path not in kinds:
            cure = did_you_mean(path, pairs, f"write SERVICE/SECRET, one of {listing(pairs)}")
            report.refuse(here, f"{shown(path)} is no service's secret", cure)
        elif kinds[path] != "ec-p256":
            report.refuse(
                here, f"{shown(path)} is {kinds[path]} and signs no tokens", "give that secret kind: ec-p256"
            )
        elif path in paths[:number]:
            report.refuse(here, f"{shown(path)} is there twice", "remove one of the two")
