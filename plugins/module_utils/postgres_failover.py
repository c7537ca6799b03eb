# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the monitor for a failover without losing writes. Knows nothing of Ansible.

pg_auto_failover 2.2 reads a reporting node before it takes the group's lock, and decides by what it read. A primary
whose report began before a requested failover and got the lock after it is then told ``wait_primary`` instead of
``draining``, so it commits alone while its standby is promoted: those commits are lost. The window is widest when the
request waits for a report of the standby (a deadlock, which the server ends after a second). See
docs/postgres.md.

So nobody may be inside a report while a failover is requested: ``tandem.fail_over`` first locks the table of nodes
against reading, which waits for reports that have begun and keeps others from beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from . import postgres_cluster as cluster
from .postgres_host import HostError

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

# Keepers wait behind the lock; after a few seconds of silence their nodes would count as unhealthy.
LOCK_TIMEOUT_MS = 1000
TRIES = 5
PAUSE_S = 1.0
# SQLSTATEs with which the server says that it did nothing: no lock in time, deadlock.
NOT_DONE = ("55P03", "40P01")

FAIL_OVER_SQL = "select tandem.fail_over(%s)"
BODY = """
begin
  lock table pgautofailover.node in access exclusive mode;
  perform pgautofailover.perform_failover(formation, 0);
end"""
DEFINED_SQL = """
select prosrc = %s and prosecdef and proconfig @> array[%s] and has_function_privilege('autoctl_node', oid, 'execute')
from pg_proc where oid = to_regprocedure('tandem.fail_over(text)')"""
DEFINE_SQL = (
    "create schema if not exists tandem",
    "grant usage on schema tandem to autoctl_node",
    "create or replace function tandem.fail_over(formation text) returns void language plpgsql security definer"
    f" set search_path = pg_catalog, pg_temp set lock_timeout = '{LOCK_TIMEOUT_MS}' as $body${BODY}$body$",
    "revoke all on function tandem.fail_over(text) from public",
    "grant execute on function tandem.fail_over(text) to autoctl_node",
)


def defined(query: Query) -> bool:
    """Whether the monitor's database has the function as it is written here."""
    rows = query(DEFINED_SQL, (BODY, f"lock_timeout={LOCK_TIMEOUT_MS}"))
    return bool(rows and rows[0][0])


def define(query: Query) -> None:
    """Have the function in the monitor's database; as its superuser."""
    for statement in DEFINE_SQL:
        query(statement, ())


def fail_over(query: Query, sleep: Callable[[float], None] = time.sleep) -> None:
    """Ask for a failover, again where the server certainly did nothing; raises HostError with the last reason."""
    for left in reversed(range(TRIES)):
        try:
            query(FAIL_OVER_SQL, (cluster.FORMATION,))
            return
        except HostError as error:
            if not left or getattr(error.__cause__, "pgcode", None) not in NOT_DONE:
                raise
            sleep(PAUSE_S)
