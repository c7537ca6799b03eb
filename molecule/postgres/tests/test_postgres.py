"""What the postgres role promises, on two data nodes and a witness."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import testinfra

NODES = ("m-pg-msk", "m-pg-spb")
MONITOR = "m-pg-wit"
ADDRESSES = {"m-pg-msk": "10.61.0.106", "m-pg-spb": "10.62.0.106", MONITOR: "10.63.0.106"}
TLS = "/etc/tandem/tls"
OWN = f"sslcert={TLS}/postgres/certificate.pem sslkey={TLS}/postgres/key.pem"
VERIFIED = f"sslmode=verify-full sslrootcert={TLS}/ca.pem {OWN}"


@pytest.fixture(scope="session")
def on(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """A host by its name."""
    inventory = request.config.getoption("--ansible-inventory")
    hosts = {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, sudo=True)
        for name in ADDRESSES
    }
    return hosts.__getitem__


def sql(host: Any, statement: str, port: int = 5432, database: str = "postgres") -> str:
    """The answer of the host's own Postgres."""
    command = f"cd / && runuser -u postgres -- psql -X -At -p {port} -d {database} -c {json.dumps(statement)}"
    result = host.run(command)
    assert result.rc == 0, result.stderr
    return str(result.stdout).strip()


def connect(host: Any, words: str) -> Any:
    """Try to connect from a host, as root."""
    return host.run(f"psql -X -At '{words} connect_timeout=3' -c 'select 1'")


def states(on: Callable[[str], Any]) -> dict[str, str]:
    """State of each node at the monitor; with what is not as it should be."""
    statement = (
        "select nodename || '=' || case when reportedstate = goalstate and health = 1 and candidatepriority = 50"
        " and replicationquorum then reportedstate::text else 'unrest' end from pgautofailover.node"
    )
    lines = sql(on(MONITOR), statement, 5431, "pg_auto_failover").splitlines()
    return dict(line.split("=") for line in lines)


def primary_at_rest(on: Callable[[str], Any], timeout: float = 60) -> str:
    """Name of the primary, as soon as both nodes are at rest and the standby streams.

    A node that is just starting again refuses connections before the monitor knows: that is unrest, not an end.
    """
    end = time.monotonic() + timeout
    while True:
        found = states(on)
        name = next((name for name, state in found.items() if state == "primary"), None)
        if name and sorted(found.values()) == ["primary", "secondary"] and streams(on(name)):
            return name
        assert time.monotonic() < end, f"no primary with a standby at rest within {timeout} s: {found}"
        time.sleep(0.3)


def streams(host: Any) -> bool:
    """Whether the host's Postgres answers and has its standby streaming."""
    statement = "select count(*) from pg_stat_replication where state = 'streaming'"
    result = host.run(f"cd / && runuser -u postgres -- psql -X -At -p 5432 -c {json.dumps(statement)}")
    return result.rc == 0 and str(result.stdout).strip() == "1"


def test_one_primary_and_one_synchronous_standby(on: Callable[[str], Any]) -> None:
    primary = on(primary_at_rest(on))
    assert sql(primary, "select sync_state from pg_stat_replication") in {"sync", "quorum"}
    assert sql(primary, "show data_checksums") == "on"


@pytest.mark.parametrize("name", NODES)
def test_our_settings_win_over_those_of_pg_autoctl(on: Callable[[str], Any], name: str) -> None:
    assert sql(on(name), "show wal_sender_timeout") == "3s"
    assert sql(on(name), "show shared_buffers") == "128MB"
    assert sql(on(name), "show listen_addresses") == ADDRESSES[name]
    assert on(name).sysctl("net.ipv4.tcp_syn_retries") == 2


@pytest.mark.parametrize("name", [*NODES, MONITOR])
def test_nobody_is_trusted_and_nothing_goes_without_tls(on: Callable[[str], Any], name: str) -> None:
    port = 5431 if name == MONITOR else 5432
    rules = sql(on(name), "select type, auth_method from pg_hba_file_rules", port).splitlines()
    assert {rule.split("|")[0] for rule in rules} == {"local", "hostssl"}
    assert {rule.split("|")[1] for rule in rules} <= {"peer", "cert", "scram-sha-256"}
    assert on(name).file(f"{TLS}/postgres/key.pem").mode == 0o640


def test_replication_is_verified_in_full(on: Callable[[str], Any]) -> None:
    standby = on(next(name for name in NODES if name != primary_at_rest(on)))
    assert "sslmode=verify-full" in sql(standby, "show primary_conninfo")
    assert sql(standby, "select status from pg_stat_wal_receiver") == "streaming"


@pytest.mark.parametrize(
    "user", ["pgautofailover_replicator", "postgres", "tandem_guard", "pgautofailover_monitor"]
)
def test_roles_of_the_cluster_are_refused_to_others(on: Callable[[str], Any], user: str) -> None:
    """Not even another host of the cluster gets in with a role that is not its own."""
    target = f"host={ADDRESSES['m-pg-spb']} dbname=postgres user={user} {VERIFIED}"
    source = MONITOR if user == "pgautofailover_replicator" else "m-pg-msk"
    refused = connect(on(source), target)
    assert refused.rc != 0
    assert "no pg_hba.conf entry" in refused.stderr


def metrics(host: Any, statement: str, node: str = "m-pg-spb", database: str = "greetings") -> Any:
    """Ask a node as the role of exporters does."""
    target = f"host={ADDRESSES[node]} dbname={database} user=tandem_metrics {VERIFIED}"
    return host.run(f"psql -X -At '{target} connect_timeout=3' -c {json.dumps(statement)}")


def test_an_observer_sees_outbox_and_leases_and_nothing_else(on: Callable[[str], Any]) -> None:
    observer = on(MONITOR)
    assert metrics(observer, "select * from tandem.outbox_state()").stdout == ""
    assert metrics(observer, "select job, token, host, expires_at from tandem.timer_runs").rc == 0
    for statement in (
        "select * from public.greetings",
        "select * from tandem.init_scripts",
        "select moment from tandem.timer_runs",
        "select rolpassword from pg_authid",
    ):
        assert "permission denied" in metrics(observer, statement).stderr, statement
    assert "no pg_hba.conf entry" in metrics(observer, "select 1", database="postgres").stderr


def test_another_host_is_no_observer(on: Callable[[str], Any]) -> None:
    refused = metrics(on("m-pg-msk"), "select 1")
    assert refused.rc != 0
    assert "no pg_hba.conf entry" in refused.stderr


def test_the_exporter_beside_the_monitor_reads_the_clusters_state(on: Callable[[str], Any]) -> None:
    host = on(MONITOR)
    host.check_output("getent passwd platform-exporter >/dev/null || useradd --system platform-exporter")
    words = 'cd / && runuser -u {} -- psql -X -At -p 5431 -d pg_auto_failover -U tandem_metrics -c "{}"'
    nodes = host.run(words.format("platform-exporter", "select count(*) from tandem.cluster_state()"))
    assert nodes.stdout.strip() == "2"
    denied = "select pgautofailover.set_node_candidate_priority('default', 'm-pg-msk', 0)"
    assert "permission denied" in host.run(words.format("platform-exporter", denied)).stderr
    marker = host.run(words.format("platform-exporter", "select * from tandem.guard_marker_seconds()"))
    assert (marker.rc, marker.stdout) == (0, "")
    assert host.run(words.format("nobody", "select 1")).rc != 0


@pytest.mark.parametrize("node", NODES)
def test_the_exporter_reads_statistics_and_nothing_else(on: Callable[[str], Any], node: str) -> None:
    primary_at_rest(on)
    ask = "cd / && runuser -u {} -- psql -X -At -U tandem_exporter -d {} -c '{}'"
    read = "select pg_has_role(current_user, $$pg_read_all_stats$$, $$usage$$)"
    told = on(node).run(ask.format("games", "postgres", read))
    assert told.stdout.strip() == "t", told.stderr
    for user, database in (("nobody", "postgres"), ("postgres", "postgres"), ("games", "greetings")):
        assert on(node).run(ask.format(user, database, read)).rc != 0
    # Nor over the network, whoever asks.
    refused = connect(on(MONITOR), f"host={ADDRESSES[node]} dbname=postgres user=tandem_exporter {VERIFIED}")
    assert "no pg_hba.conf entry" in refused.stderr


def test_a_connection_without_tls_is_refused(on: Callable[[str], Any]) -> None:
    refused = connect(
        on("m-pg-msk"), f"host={ADDRESSES['m-pg-spb']} dbname=greetings user=greetings sslmode=disable"
    )
    assert refused.rc != 0
    assert "no encryption" in refused.stderr


def test_the_health_check_role_can_do_nothing(on: Callable[[str], Any]) -> None:
    target = f"host={ADDRESSES['m-pg-spb']} user=pgautofailover_monitor {VERIFIED}"
    assert connect(on(MONITOR), f"{target} dbname=greetings").rc != 0
    facts = (
        "select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolpassword is not null"
        " or has_database_privilege(rolname, 'postgres', 'create, temporary')"
        " from pg_authid where rolname = 'pgautofailover_monitor'"
    )
    assert sql(on("m-pg-spb"), facts) == "f"


@pytest.mark.parametrize("name", NODES)
def test_every_node_would_fence_itself(on: Callable[[str], Any], name: str) -> None:
    command = "cd / && runuser -u postgres -- env PG_AUTOCTL_DEBUG=1 pg_autoctl do fsm state --json --pgdata"
    said = on(name).run(f"{command} /var/lib/postgresql/17/node").stdout
    contact = next(line for line in said.splitlines() if "last_secondary_contact" in line)
    assert "1970" not in contact


def test_the_database_is_made_once_with_least_privilege(on: Callable[[str], Any]) -> None:
    primary = on(primary_at_rest(on))
    assert sql(primary, "select count(*) from greetings", database="greetings") == "2"
    assert sql(primary, "select name from tandem.init_scripts", database="greetings") == "greetings.sql"
    can = "select string_agg(p, ' ' order by p) from unnest(array['select','insert','update','delete','truncate']) p"
    can += " where has_table_privilege('greetings', 'greetings', p)"
    assert sql(primary, can, database="greetings") == "delete insert select update"
    never = (
        "select has_schema_privilege('greetings', 'public', 'create')"
        " or has_schema_privilege('greetings', 'tandem', 'create')"
        " or has_any_column_privilege('greetings', 'tandem.init_scripts', 'select, insert, update, references')"
        " or has_table_privilege('greetings', 'tandem.init_scripts', 'delete, truncate, trigger')"
        " or has_database_privilege('public', 'greetings', 'connect')"
    )
    assert sql(primary, never, database="greetings") == "f"
    assert sql(primary, "select count(*) from pg_authid where rolpassword !~ '^SCRAM-SHA-256'") == "0"


def test_the_stall_guard_watches(on: Callable[[str], Any]) -> None:
    guard = on(MONITOR)
    assert guard.service("tandem-stall-guard").is_running
    assert guard.service("tandem-stall-guard").is_enabled
    journal = guard.run("journalctl -u tandem-stall-guard -o cat --since=-10s").stdout
    assert "Traceback" not in journal
    sockets = sql(
        on(primary_at_rest(on)), "select count(*) from pg_stat_activity where usename = 'tandem_guard'"
    )
    assert sockets == "1"
    exposure = guard.run(
        "systemd-analyze security --no-pager tandem-stall-guard.service"
    ).stdout.splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure


def test_a_killed_postmaster_comes_back(on: Callable[[str], Any]) -> None:
    name = primary_at_rest(on)
    pid = on(name).run("head -1 /var/lib/postgresql/17/node/postmaster.pid").stdout.strip()
    assert on(name).run(f"kill -9 {pid}").rc == 0
    time.sleep(1)
    primary = on(primary_at_rest(on))
    assert sql(primary, "select count(*) from greetings", database="greetings") == "2"


def test_a_requested_failover_waits_for_reports_that_have_begun(on: Callable[[str], Any]) -> None:
    """Otherwise pg_auto_failover 2.2 may tell the old primary to go on alone, and what it commits then is lost.

    A transaction that keeps the standby's row for 1.5 s stands for a report of the standby that has begun.
    """
    before = primary_at_rest(on)
    monitor, database = on(MONITOR), "pg_auto_failover"
    last = sql(monitor, "select coalesce(max(eventid), 0) from pgautofailover.event", 5431, database)
    report = (
        "begin; update pgautofailover.node set health = health where goalstate = 'secondary';"
        " select pg_sleep(1.5); commit"
    )
    psql = f"runuser -u postgres -- psql -X -q -p 5431 -d {database} -c {json.dumps(report)}"
    assert monitor.run(f"cd / && ({psql} >/dev/null 2>&1 &)").rc == 0
    time.sleep(0.3)
    fail_over(monitor)
    after = primary_at_rest(on)
    assert after != before
    told = sql(
        monitor,
        f"select string_agg(distinct goalstate::text, ' ') from pgautofailover.event"
        f" where eventid > {last} and nodename = '{before}'",
        5431,
        database,
    )
    assert "draining" in told
    assert "wait_primary" not in told, f"the old primary was told to go on alone: {told}"


def fail_over(monitor: Any) -> None:
    """Ask for a failover as the platform does: again when it was not done in time."""
    for _ in range(5):
        command = "cd / && runuser -u postgres -- psql -X -At -p 5431 -d pg_auto_failover"
        if monitor.run(f"{command} -c \"select tandem.fail_over('default')\"").rc == 0:
            return
        time.sleep(1)
    raise AssertionError("the monitor did not take the request")


def test_a_switchover_moves_the_primary(on: Callable[[str], Any]) -> None:
    before = primary_at_rest(on)
    fail_over(on(MONITOR))
    time.sleep(1)
    after = primary_at_rest(on)
    assert after != before
    assert sql(on(after), "select count(*) from greetings", database="greetings") == "2"
