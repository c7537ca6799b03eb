# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The leases of timers, in each service's database: what is there, and the statements that make it.

The tables are the platform's (schema `tandem`); a service's runtime role may work with them and not change them.
`tandem.timers` has a job's newest token, `tandem.timer_runs` each taking of its lease, `tandem.timer_status` is for
exporters and people. roles/service/files/timer_runner uses them; docs/scheduler.md explains them.
"""

from __future__ import annotations

from ansible_collections.tandem.platform.plugins.module_utils.postgres_databases import Ask, Step, name

TABLES = (
    "create table if not exists tandem.timers (job text primary key, token bigint not null default 0)",
    "create table if not exists tandem.timer_runs ("
    " job text not null references tandem.timers, token bigint not null, moment timestamptz not null,"
    " host text not null, started_at timestamptz not null default clock_timestamp(),"
    " expires_at timestamptz not null, finished_at timestamptz, outcome text, exit_code integer,"
    " primary key (job, token))",
    "create or replace view tandem.timer_status as"
    " select t.job, r.moment as last_moment, r.host as last_host, r.token as last_token, r.outcome as last_outcome,"
    " r.exit_code as last_exit_code, r.started_at as last_started_at, r.finished_at as last_finished_at,"
    " extract(epoch from r.finished_at - r.started_at)::float8 as last_seconds,"
    " coalesce(r.outcome is null and r.expires_at > clock_timestamp(), false) as running,"
    " (select max(s.finished_at) from tandem.timer_runs s where s.job = t.job and s.outcome = 'succeeded')"
    " as last_success_at"
    " from tandem.timers t left join tandem.timer_runs r on r.job = t.job and r.token = t.token",
)
STATE_SQL = """
select to_regclass('tandem.timer_status') is not null,
       coalesce(has_schema_privilege(%(role)s, to_regnamespace('tandem'), 'usage')
         and has_table_privilege(%(role)s, to_regclass('tandem.timers'), 'select')
         and has_table_privilege(%(role)s, to_regclass('tandem.timers'), 'insert')
         and has_table_privilege(%(role)s, to_regclass('tandem.timers'), 'update')
         and has_table_privilege(%(role)s, to_regclass('tandem.timer_runs'), 'select')
         and has_table_privilege(%(role)s, to_regclass('tandem.timer_runs'), 'insert')
         and has_table_privilege(%(role)s, to_regclass('tandem.timer_runs'), 'update')
         and has_table_privilege(%(role)s, to_regclass('tandem.timer_runs'), 'delete')
         and has_table_privilege(%(role)s, to_regclass('tandem.timer_status'), 'select'), false)
"""


def timer_steps(ask: Ask, database: str, runtime: str) -> list[Step]:
    """Have the tables of leases in a database (where schema `tandem` is), and let its runtime role use them."""
    ((tables, granted),) = ask(STATE_SQL, {"role": runtime})  # type: ignore[arg-type]
    steps = []
    if not tables:
        steps.append(Step(f"leases of timers in database {database}", TABLES))
    if not granted:
        role = name(runtime)
        grants = (
            f"grant usage on schema tandem to {role}",
            f"grant select, insert, update on tandem.timers to {role}",
            f"grant select, insert, update, delete on tandem.timer_runs to {role}",
            f"grant select on tandem.timer_status to {role}",
        )
        steps.append(Step(f"privileges on the leases of timers in {database}", grants))
    return steps
