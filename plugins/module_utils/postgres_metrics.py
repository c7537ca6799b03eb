# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The role by which exporters look at the databases: what it may see, and the statements that let it.

It has no password: hosts are known by their certificates, and the monitor's own host by its operating system's user.
In a service's database it learns of the outbox only how many events wait and since when, by a function that runs as the
database's owner (who may read the table anyway, so that nobody gains anything by changing it), and of leases who holds
them.
"""

from __future__ import annotations

from ansible_collections.tandem.platform.plugins.module_utils.postgres_databases import (
    METRICS_ROLE,
    Ask,
    Step,
    name,
)

CONNECTIONS = 10
LEASE_COLUMNS = "job, token, host, expires_at, finished_at, outcome"

# Late bound: the table comes with the service's migrations, or never.
BODY = """
begin
  if to_regclass('public.outbox') is null then
    return;
  end if;
  return query execute
    'select count(*), coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 from public.outbox';
end
"""
DEFINE = (
    "create or replace function tandem.outbox_state() returns table (entries bigint, oldest_seconds float8)"
    f" language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $tandem${BODY}$tandem$"
)
STATE_SQL = """
select coalesce((select p.prosrc = %(body)s and p.prosecdef and pg_get_userbyid(p.proowner) = %(owner)s
                   and has_function_privilege(%(role)s, p.oid, 'execute')
                   and not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
                                   where grantee = 0)
                 from pg_proc p where p.oid = to_regprocedure('tandem.outbox_state()')), false),
       has_database_privilege(%(role)s, current_database(), 'connect'),
       coalesce(has_schema_privilege(%(role)s, to_regnamespace('tandem'), 'usage')
         and has_column_privilege(%(role)s, to_regclass('tandem.timer_runs'), 'expires_at', 'select'), false)
"""


# On the monitor; as its superuser, whose tables nobody else can replace. The role gets no use of pg_auto_failover's own
# schema, in which everybody may call functions that change the cluster.
NODES_BODY = """
begin
  return query select n.nodename, n.reportedstate::text, n.goalstate::text, n.health, n.replicationquorum
    from pgautofailover.node n where n.formationid = 'default' order by n.nodeid;
end
"""
MARKER_BODY = """
begin
  if to_regclass('stall_guard.degraded') is null then
    return;
  end if;
  return query execute
    'select extract(epoch from clock_timestamp() - since)::float8 from stall_guard.degraded where formation = $1'
    using 'default';
end
"""
MONITOR_FUNCTIONS = {
    "cluster_state": (
        "table (node text, reported text, assigned text, healthy integer, quorum boolean)",
        NODES_BODY,
    ),
    "guard_marker_seconds": ("setof float8", MARKER_BODY),
}
MONITOR_SQL = """
select coalesce((select p.prosrc = %(body)s and p.prosecdef and has_function_privilege(%(role)s, p.oid, 'execute')
                   and has_schema_privilege(%(role)s, 'tandem', 'usage')
                   and not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
                                   where grantee = 0)
                 from pg_proc p where p.oid = to_regprocedure(%(function)s)), false)
"""


def role_steps(ask: Ask) -> list[Step]:
    """Have the role, which may log in and nothing else."""
    if ask("select 1 from pg_roles where rolname = %s", (METRICS_ROLE,)):
        return []
    made = f"create role {METRICS_ROLE} login connection limit {CONNECTIONS}"
    return [Step(f"role {METRICS_ROLE}", (made,))]


def monitor_steps(ask: Ask) -> list[Step]:
    """Have the role on the monitor, where it may see the nodes and the marker of the stall guard."""
    role = role_steps(ask)
    steps = list(role)
    for function, (returns, body) in MONITOR_FUNCTIONS.items():
        asked = {"role": METRICS_ROLE, "body": body, "function": f"tandem.{function}()"}
        # A role that does not exist yet can't be asked about.
        if not role and ask(MONITOR_SQL, asked)[0][0]:  # type: ignore[arg-type]
            continue
        statements = (
            "create schema if not exists tandem",
            f"grant usage on schema tandem to {METRICS_ROLE}",
            f"create or replace function tandem.{function}() returns {returns} language plpgsql stable security definer"
            f" set search_path = pg_catalog, pg_temp as $tandem${body}$tandem$",
            f"revoke all on function tandem.{function}() from public",
            f"grant execute on function tandem.{function}() to {METRICS_ROLE}",
        )
        steps.append(Step(f"function {function} for {METRICS_ROLE}", statements))
    return steps


def inside_steps(ask: Ask, database: str, owner: str) -> list[Step]:
    """Let the role see outbox and leases of a database, where schema `tandem` and the leases are."""
    asked = {"body": BODY, "owner": owner, "role": METRICS_ROLE}
    ((function, connects, leases),) = ask(STATE_SQL, asked)  # type: ignore[arg-type]
    steps = []
    if not connects:
        granted = f"grant connect on database {name(database)} to {METRICS_ROLE}"
        steps.append(Step(f"role {METRICS_ROLE} may connect to {database}", (granted,)))
    if not function:
        defined = (
            DEFINE,
            f"alter function tandem.outbox_state() owner to {name(owner)}",
            "revoke all on function tandem.outbox_state() from public",
            f"grant execute on function tandem.outbox_state() to {METRICS_ROLE}",
        )
        steps.append(Step(f"state of the outbox of {database}", defined))
    if not leases:
        grants = (
            f"grant usage on schema tandem to {METRICS_ROLE}",
            f"grant select ({LEASE_COLUMNS}) on tandem.timer_runs to {METRICS_ROLE}",
        )
        steps.append(Step(f"role {METRICS_ROLE} may see the leases in {database}", grants))
    return steps
