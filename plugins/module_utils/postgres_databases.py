# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Databases and roles of services: what is there, what is missing, and the statements between the two."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tandem.platform.plugins.module_utils import postgres_scram as scram

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

OWNER_CONNECTIONS = 5  # migrations, and a human
SYSTEM_DATABASES = ("postgres", "template0", "template1")
HEALTH_ROLE = "pgautofailover_monitor"
GUARD_ROLE = "tandem_guard"
METRICS_ROLE = "tandem_metrics"
EXPORTER_ROLE = "tandem_exporter"


@dataclass(frozen=True)
class Step:
    """One thing to change: `what` for the user, `statements` for Postgres (never a password, only its verifier)."""

    what: str
    statements: tuple[str, ...]


def name(identifier: str) -> str:
    """An identifier as SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as SQL."""
    return "'" + value.replace("'", "''") + "'"


# --- roles -----------------------------------------------------------------------------------------------------------

ROLE_SQL = """
select rolcanlogin and not (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls),
       rolconnlimit, rolpassword from pg_authid where rolname = %s"""


def role_steps(ask: Ask, role: str, password: str, connections: int) -> list[Step]:
    """Make a role that may log in and nothing else, with this password and limit."""
    rows = ask(ROLE_SQL, (role,))
    if not rows:
        verifier = text(scram.make_verifier(password))
        made = f"create role {name(role)} login connection limit {connections} password {verifier}"
        return [Step(f"role {role}", (made,))]
    plain, limit, verifier = rows[0]
    steps = []
    if not plain:
        only = "login nosuperuser nocreaterole nocreatedb noreplication nobypassrls"
        steps.append(Step(f"privileges of role {role}", (f"alter role {name(role)} {only}",)))
    if limit != connections:
        limited = f"alter role {name(role)} connection limit {connections}"
        steps.append(Step(f"connection limit of role {role}", (limited,)))
    if not scram.matches(verifier, password):
        changed = f"alter role {name(role)} password {text(scram.make_verifier(password))}"
        steps.append(Step(f"password of role {role}", (changed,)))
    return steps


def cluster_steps(ask: Ask) -> list[Step]:
    """Roles of the cluster itself: the stall guard may look, the monitor's health check may do nothing."""
    steps = []
    if not ask("select 1 from pg_roles where rolname = %s", (GUARD_ROLE,)):
        made = f"create role {GUARD_ROLE} login connection limit 5"
        steps.append(Step(f"role {GUARD_ROLE}", (made, f"grant pg_monitor to {GUARD_ROLE}")))
    rows = ask(
        "select rolpassword is null and not rolsuper and not rolreplication from pg_authid where rolname = %s",
        (HEALTH_ROLE,),
    )
    if rows and not rows[0][0]:
        # It logs in by the monitor's certificate; its password is a constant that everybody knows.
        bare = f"alter role {HEALTH_ROLE} nosuperuser noreplication nocreatedb nocreaterole password null"
        steps.append(Step(f"role {HEALTH_ROLE}", (bare,)))
    if not ask("select 1 where pg_has_role(to_regrole(%s), 'pg_checkpoint', 'usage')", (GUARD_ROLE,)):
        # A planned switchover has both nodes write a checkpoint first.
        steps.append(Step(f"role {GUARD_ROLE} may checkpoint", (f"grant pg_checkpoint to {GUARD_ROLE}",)))
    public = ask("select has_database_privilege('public', 'postgres', 'connect, temporary')", ())
    if public[0][0]:
        steps.append(
            Step(
                "privileges on database postgres",
                (
                    "revoke all on database postgres from public",
                    f"grant connect on database postgres to {GUARD_ROLE}, {HEALTH_ROLE}",
                ),
            )
        )
    return steps


def exporter_steps(ask: Ask) -> list[Step]:
    """The role of the exporter on each node: it has no password, and reads statistics, no table of a service."""
    rows = ask(
        "select pg_has_role(oid, 'pg_monitor', 'usage'), has_database_privilege(oid, 'postgres', 'connect')"
        " from pg_roles where rolname = %s",
        (EXPORTER_ROLE,),
    )
    monitors, connects = rows[0] if rows else (False, False)
    steps = []
    if not rows:
        made = f"create role {EXPORTER_ROLE} login connection limit 5"
        steps.append(Step(f"role {EXPORTER_ROLE}", (made,)))
    if not monitors:
        granted = f"grant pg_monitor to {EXPORTER_ROLE}"
        steps.append(Step(f"role {EXPORTER_ROLE} may read statistics", (granted,)))
    if not connects:
        granted = f"grant connect on database postgres to {EXPORTER_ROLE}"
        steps.append(Step(f"role {EXPORTER_ROLE} may connect to postgres", (granted,)))
    return steps


# --- databases -------------------------------------------------------------------------------------------------------

DATABASE_SQL = """
select pg_get_userbyid(datdba),
       (select count(*) from aclexplode(coalesce(datacl, acldefault('d', datdba))) where grantee = 0)::int,
       has_database_privilege(%s, oid, 'connect')
from pg_database where datname = %s"""


def database_steps(ask: Ask, database: str, owner: str, runtime: str, runtime_exists: bool) -> list[Step]:
    """Make the database, owned by its owner role, closed to everybody but the owner and the runtime role."""
    limits = (
        f"revoke all on database {name(database)} from public",
        f"grant connect on database {name(database)} to {name(runtime)}",
    )
    # A role that does not exist yet can't be asked about; it gets everything with the database.
    rows = ask(DATABASE_SQL, (runtime if runtime_exists else "postgres", database))
    if not rows:
        made = f"create database {name(database)} owner {name(owner)} template template0 encoding 'UTF8'"
        return [Step(f"database {database}", (made, *limits))]
    steps = []
    current_owner, public, connects = rows[0]
    if current_owner != owner:
        given = f"alter database {name(database)} owner to {name(owner)}"
        steps.append(Step(f"owner of database {database}", (given,)))
    if public or not connects or not runtime_exists:
        steps.append(Step(f"privileges on database {database}", limits))
    return steps


INSIDE_SQL = """
select to_regclass('tandem.init_scripts') is not null,
       has_schema_privilege(%(runtime)s, 'public', 'usage'),
       has_schema_privilege('public', 'public', 'usage'),
       has_schema_privilege(%(owner)s, 'public', 'create'),
       (select count(*) from pg_default_acl d, aclexplode(d.defaclacl) a
        where d.defaclrole = (select oid from pg_roles where rolname = %(owner)s)
          and d.defaclnamespace = 'public'::regnamespace
          and a.grantee = (select oid from pg_roles where rolname = %(runtime)s)
          and (d.defaclobjtype, a.privilege_type) in (
            ('r', 'SELECT'), ('r', 'INSERT'), ('r', 'UPDATE'), ('r', 'DELETE'),
            ('S', 'USAGE'), ('S', 'SELECT'), ('f', 'EXECUTE')))::int,
       (select count(*) from pg_default_acl d, aclexplode(d.defaclacl) a
        where d.defaclrole = (select oid from pg_roles where rolname = %(owner)s) and d.defaclnamespace = 0
          and d.defaclobjtype = 'f' and a.grantee = 0)::int
         + (select count(*) from pg_roles r where rolname = %(owner)s and not exists (
              select from pg_default_acl d
              where d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'))::int
"""
DEFAULT_PRIVILEGES = 7

MARKERS = (
    "create schema if not exists tandem",
    "comment on schema tandem is 'Notes of the Tandem platform; not the service''s'",
    "create table if not exists tandem.init_scripts"
    " (name text primary key, sha256 text not null, run_at timestamptz not null default now())",
)


def inside_steps(ask: Ask, database: str, owner: str, runtime: str) -> list[Step]:
    """Inside the database: our notes, and what the runtime role may do with what its owner makes in future."""
    rows = ask(INSIDE_SQL, {"owner": owner, "runtime": runtime})  # type: ignore[arg-type]
    markers, usage, public, create, granted, functions = rows[0]
    steps = []
    if not markers:
        steps.append(Step(f"notes in database {database}", MARKERS))
    if public or not usage or not create:
        steps.append(
            Step(
                f"privileges on schema public of {database}",
                (
                    "revoke all on schema public from public",
                    f"grant all on schema public to {name(owner)}",
                    f"grant usage on schema public to {name(runtime)}",
                ),
            )
        )
    if granted != DEFAULT_PRIVILEGES or functions:
        always = f"alter default privileges for role {name(owner)}"
        here = f"{always} in schema public"
        to = f"to {name(runtime)}"
        steps.append(
            Step(
                f"default privileges in {database}",
                (
                    f"{always} revoke execute on functions from public",
                    f"{here} grant select, insert, update, delete on tables {to}",
                    f"{here} grant usage, select on sequences {to}",
                    f"{here} grant execute on functions {to}",
                ),
            )
        )
    return steps


# --- init scripts ----------------------------------------------------------------------------------------------------


# Run by psql, which puts in the variables.
NOTE_SQL = "insert into tandem.init_scripts (name, sha256) values (:'script', :'digest');"


def digest(script: str) -> str:
    """SHA-256 of a script, hexadecimal."""
    return hashlib.sha256(script.encode()).hexdigest()


def base(path: str) -> str:
    """The name under which a script is noted: its file name, since the folder differs between checkouts."""
    return path.rsplit("/", 1)[-1]


def script_plan(
    done: Mapping[str, str], paths: Sequence[str], scripts: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Paths still to run, and names of scripts that ran but have changed since (they are not run again).

    Raises ValueError when two scripts of one database have the same file name.
    """
    names = [base(path) for path in paths]
    if len(set(names)) != len(names):
        raise ValueError(f"two init scripts have the same file name: {', '.join(sorted(names))}")
    todo = [path for path in paths if base(path) not in done]
    changed = [
        base(path) for path in paths if base(path) in done and done[base(path)] != digest(scripts[path])
    ]
    return todo, changed


# --- what is no longer wanted ----------------------------------------------------------------------------------------

LEFT_SQL = """
select d.datname, pg_size_pretty(pg_database_size(d.oid)), pg_get_userbyid(d.datdba),
       array(select r.rolname::text from aclexplode(d.datacl) a join pg_roles r on r.oid = a.grantee
             where a.privilege_type = 'CONNECT' and r.oid <> d.datdba and not r.rolsuper
               and r.rolname <> %s order by 1)
from pg_database d where not d.datistemplate and d.datname <> 'postgres' and d.datname <> all(%s) order by 1"""


def left_over(ask: Ask, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Databases that no catalog entry has any more, each with the command that would remove it."""
    found = []
    for database, size, owner, others in ask(LEFT_SQL, (METRICS_ROLE, list(wanted))):
        roles = [owner, *others] if owner != "postgres" else list(others)
        words = [f'-c "drop database \\"{database}\\""'] + [f'-c "drop role \\"{role}\\""' for role in roles]
        command = "sudo -u postgres psql -p 5432 " + " ".join(words)
        found.append({"database": database, "size": size, "to_remove_it_for_ever": command})
    return found
