# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Settings that a running cluster must not get lower, because a standby must not have less than its primary."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Source: https://www.postgresql.org/docs/17/hot-standby.html#HOT-STANDBY-ADMIN; pg_control has all but max_wal_senders
# under the setting's own name.
NOT_LOWER = (
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
)
CONTROL_NAMES = {
    "max_locks_per_transaction": "max_locks_per_xact",
    "max_prepared_transactions": "max_prepared_xacts",
}


def in_force(controldata: str) -> dict[str, int]:
    """Values that the primary's WAL carries, from the output of pg_controldata."""
    found = dict(re.findall(r"^(\w+) setting:\s+(\d+)$", controldata, re.MULTILINE))
    names = {name: CONTROL_NAMES.get(name, name) for name in NOT_LOWER}
    return {name: int(found[known]) for name, known in names.items() if known in found}


def lowered(wanted: Mapping[str, object], controldata: str) -> list[str]:
    """What would be lowered, in words; empty when nothing is."""
    return [
        f"{name} from {value} to {wanted[name]}"
        for name, value in in_force(controldata).items()
        if str(wanted.get(name, value)).isdigit() and int(str(wanted.get(name, value))) < value
    ]
