"""Postgres: who leads, whether commits wait for a copy, how far the standby is, and what the servers do."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row, Word
from dashboards.panels import DOWN, NO, UP, YES, at_least, at_most, series, stacked, stat, states, table
from dashboards.promql import within

OURS = 'datname!~"template.*|postgres"'
CALM = (Word(0, "as wanted", "green"), Word(1, "on its way", "orange"))

ROLES = Row(
    "Who leads",
    (
        states(
            "Role of each node",
            "As the node says itself. Two primaries at once for longer than a scrape would be a fork.",
            Query("max by (host) (pg_replication_is_replica)", "{{host}}"),
            words=(Word(0, "primary", "blue"), Word(1, "standby", "green")),
            links=(names.THIS_HOST,),
        ),
        states(
            "Server answers",
            "Whether the exporter on the host could ask the server.",
            Query("max by (host) (pg_up)", "{{host}}"),
            words=(DOWN, UP),
            links=(names.HOST_LOGS,),
        ),
        table(
            "What the monitor knows",
            "State that each node has reported, and the one that the monitor wants it to be in.",
            units.NONE,
            Query("max by (node, reported, assigned) (tandem_postgres_node_state) == 1"),
            hidden=("Value",),
            height=6,
        ),
        states(
            "Reported is assigned",
            "A node on its way for minutes can't do what the monitor wants: docs/postgres.md.",
            Query("max by (node) (tandem_postgres_node_state_mismatch)", "{{node}}"),
            words=CALM,
        ),
        states(
            "Health by the monitor",
            "The monitor's own checks.",
            Query("max by (node) (tandem_postgres_node_health)", "{{node}}"),
            words=(Word(-1, "unknown", "orange"), Word(0, "bad", "red"), Word(1, "good", "green")),
        ),
        states(
            "Monitor answers",
            "Without it nothing fails over; what runs goes on.",
            Query("max(tandem_postgres_monitor_reachable)", "monitor"),
            words=(DOWN, UP),
            height=6,
        ),
    ),
)

SAFE = Row(
    "Is every acknowledged write on two hosts",
    (
        stat(
            "Standbys for which commits wait",
            "1 is right. 0 means that the primary goes on alone.",
            units.COUNT,
            Query("max(tandem_postgres_sync_standbys)"),
            steps=at_least(1, 1),
            width=6,
        ),
        stat(
            "Self-fence primed",
            "Whether the node would stop itself when it is cut off as primary.",
            units.NONE,
            Query("min by (host) (tandem_postgres_self_fence_primed)", "{{host}}"),
            words=(NO, YES),
            steps=at_least(1, 1),
            width=6,
        ),
        stat(
            "Stall guard runs",
            "It promotes where pg_auto_failover would wait for ever: docs/stall-guard.md.",
            units.NONE,
            Query("max(tandem_stall_guard_active)"),
            words=(NO, YES),
            steps=at_least(1, 1),
            width=6,
        ),
        stat(
            "Stall guard has promoted",
            "Its marker is there: look at what it did, and take it away as docs/stall-guard.md says.",
            units.NONE,
            Query("max(tandem_stall_guard_marker)"),
            words=(Word(0, "no", "green"), Word(1, "yes", "orange")),
            steps=at_most(1, 1),
            width=6,
        ),
        states(
            "Standbys for which commits wait, over time",
            "The times at which writes were on one copy.",
            Query("max(tandem_postgres_sync_standbys)", "standbys"),
            words=(Word(0, "none", "red"), Word(1, "one", "green")),
        ),
        series(
            "How far the standby is behind",
            "Time since its last replayed transaction. It also grows while nothing is written.",
            units.SECONDS,
            Query("max by (host) (pg_replication_lag_seconds)", "{{host}}"),
            width=12,
            height=6,
        ),
        series(
            "Replication stands still",
            "For how long the stall guard has seen no progress.",
            units.SECONDS,
            Query("max(tandem_stall_guard_stalled_seconds)", "stalled"),
            width=24,
            height=6,
            empty="the guard tells it only while replication stands still",
        ),
    ),
)

WORK = Row(
    "What the servers do",
    (
        series(
            "Transactions",
            "Committed, by database, on the node that leads and on the one that is read.",
            units.PER_SECOND,
            Query(
                f"sum by (host, datname) (rate(pg_stat_database_xact_commit{{{OURS}}}[$__rate_interval]))",
                "{{datname}} {{host}}",
            ),
        ),
        series(
            "Transactions rolled back",
            "Refused by a constraint, or given up.",
            units.PER_SECOND,
            Query(
                f"sum by (datname) (rate(pg_stat_database_xact_rollback{{{OURS}}}[$__rate_interval]))",
                "{{datname}}",
            ),
        ),
        stacked(
            "Connections",
            "By database and node.",
            units.COUNT,
            Query(
                'sum by (host, datname) (pg_stat_database_numbackends{datname!=""}) > 0',
                "{{datname}} {{host}}",
            ),
        ),
        series(
            "Deadlocks",
            "In 5 minutes, by database.",
            units.COUNT,
            Query(
                'sum by (datname) (increase(pg_stat_database_deadlocks{datname!~"template.*"}[5m]))',
                "{{datname}}",
            ),
        ),
        series(
            "Reads from memory",
            "Share of blocks that were found in shared_buffers.",
            units.SHARE,
            Query(
                "sum by (host) (rate(pg_stat_database_blks_hit[$__rate_interval])) / (sum by (host)"
                " (rate(pg_stat_database_blks_hit[$__rate_interval])) + sum by (host)"
                " (rate(pg_stat_database_blks_read[$__rate_interval])))",
                "{{host}}",
            ),
            most=1,
        ),
        series(
            "Locks",
            "Held and waited for, by mode.",
            units.COUNT,
            Query("sum by (mode) (pg_locks_count) > 0", "{{mode}}"),
        ),
        series(
            "Size of databases",
            "On disk.",
            units.BYTES,
            Query('max by (datname) (pg_database_size_bytes{datname!~"template.*"})', "{{datname}}"),
        ),
        series(
            "Size of the write-ahead log",
            "It grows while a standby is away, since it is kept for it.",
            units.BYTES,
            Query("max by (host) (pg_wal_size_bytes)", "{{host}}"),
        ),
        series(
            "Temporary files",
            "Sorts and joins that did not fit into memory.",
            units.BYTES_PER_SECOND,
            Query("sum by (datname) (rate(pg_stat_database_temp_bytes[$__rate_interval]))", "{{datname}}"),
        ),
    ),
)

CLIENTS = Row(
    "As the services see it",
    (
        series(
            "Connections used",
            "Share of max_connections, by node. A deployment checks the sum of all pools against it.",
            units.SHARE,
            Query(
                "sum by (host) (pg_stat_database_numbackends) / max by (host) (pg_settings_max_connections)",
                "{{host}}",
            ),
            most=1,
            steps=at_most(0.8, 0.95),
        ),
        series(
            "Time to get a connection",
            "95 of 100 waits are shorter. It grows when the pool is too small or the database is slow.",
            units.SECONDS,
            Query(
                within(0.95, "database_pool_wait_seconds_bucket", "service"),
                "{{service}}",
            ),
            links=(names.THIS_SERVICE,),
        ),
        series(
            "Connections at work",
            "By service, all instances together.",
            units.COUNT,
            Query("sum by (service) (database_pool_checked_out)", "{{service}}"),
            links=(names.THIS_SERVICE,),
        ),
    ),
)

BOARD = Board(
    names.POSTGRES,
    "Postgres",
    "High availability of the database, and its work.",
    (ROLES, SAFE, WORK, CLIENTS),
)
