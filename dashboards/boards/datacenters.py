"""Both datacenters side by side, then the platform's own monitoring of both."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Link, Query, Row
from dashboards.panels import DOWN, UP, at_least, at_most, lines, series, stat, states, table
from dashboards.promql import answers, durations, error_share, rate, within
from dashboards.variables import DATACENTER

S = 'site=~"$site"'
HERE = Link(names.HOSTS, "Hosts", keep=("site",))

EACH = Row(
    "Side by side",
    (
        states(
            "Edges of $site",
            "Whether pages come through each edge.",
            Query(f'min by (host) (probe_success{{job="blackbox",{S}}})', "{{host}}"),
            words=(DOWN, UP),
            width=24,
            repeat="site",
            links=(names.TO_EDGE,),
        ),
        series(
            "Requests of $site",
            "What the edges' NGINX take, and what the instances there answer (calls between services too).",
            units.REQUESTS_PER_SECOND,
            Query(
                f"sum by (site) (rate(nginx_http_requests_total{{{S}}}[$__rate_interval]))", "edges {{site}}"
            ),
            Query(f"sum by (site) ({rate(answers(S))})", "services {{site}}"),
            width=24,
            repeat="site",
        ),
        series(
            "Errors of the instances in $site",
            "Share of their answers that are 5xx.",
            units.SHARE,
            Query(
                error_share(S, "site"),
                "{{site}}",
            ),
            width=24,
            repeat="site",
        ),
        series(
            "Latency of the instances in $site",
            "95 of 100 requests are answered within this time.",
            units.SECONDS,
            Query(
                within(0.95, durations(S), "site"),
                "{{site}}",
            ),
            width=24,
            repeat="site",
            links=(Link(names.SERVICES, "Services", keep=("site",)),),
        ),
        series(
            "Processors in $site",
            "Busy share of each host.",
            units.SHARE,
            Query(
                f'1 - avg by (host) (rate(node_cpu_seconds_total{{mode="idle",{S}}}[$__rate_interval]))',
                "{{host}}",
            ),
            width=24,
            most=1,
            repeat="site",
            links=(HERE,),
        ),
    ),
)

STATE = Row(
    "State of both",
    (
        table(
            "Instances of services",
            "Running instances by service and datacenter.",
            units.COUNT,
            Query('sum by (service, site) (tandem_service_instances{state="running"})'),
            links=(names.TO_RELEASES,),
        ),
        table(
            "Targets that do not answer",
            "What could not be scraped by this Prometheus. During a cut it is all of the other side.",
            units.NONE,
            Query('up{on_demand!="true"} == 0'),
            hidden=("__name__", "Value"),
            empty="everything answers",
        ),
        stat(
            "Database node",
            "0 is the primary, 1 the standby.",
            units.NONE,
            Query("max by (site) (pg_replication_is_replica)", "{{site}}"),
            width=8,
            links=(names.TO_POSTGRES,),
        ),
        stat(
            "Broker's node",
            "Whether the node of this site answers.",
            units.NONE,
            Query('min by (site) (up{job="rabbitmq"})', "{{site}}"),
            words=(DOWN, UP),
            steps=at_least(1, 1),
            width=8,
            links=(names.TO_RABBITMQ,),
        ),
        stat(
            "Cache",
            "Whether the site's Valkey answers.",
            units.NONE,
            Query("min by (site) (redis_up)", "{{site}}"),
            words=(DOWN, UP),
            steps=at_least(1, 1),
            width=8,
        ),
    ),
)

CACHE = Row(
    "Cache of each site (Valkey)",
    (
        series(
            "Reads that find a copy",
            "Share of Valkey's look-ups that find something.",
            units.SHARE,
            Query(
                f"sum by (site) (rate(redis_keyspace_hits_total{{{S}}}[$__rate_interval]))"
                f" / (sum by (site) (rate(redis_keyspace_hits_total{{{S}}}[$__rate_interval]))"
                f" + sum by (site) (rate(redis_keyspace_misses_total{{{S}}}[$__rate_interval])))",
                "{{site}}",
            ),
            most=1,
        ),
        series(
            "Memory",
            "Used by keys and values; at the most (dashed) the keys that were used longest ago go.",
            units.BYTES,
            Query(f"max by (site) (redis_memory_used_bytes{{{S}}})", "{{site}}"),
            Query(f"max by (site) (redis_memory_max_bytes{{{S}}})", "most {{site}}"),
        ),
        series(
            "Commands and keys driven out",
            "Keys driven out for want of memory are the sign that it is too small.",
            units.OPERATIONS_PER_SECOND,
            Query(
                f"sum by (site) (rate(redis_commands_processed_total{{{S}}}[$__rate_interval]))",
                "commands {{site}}",
            ),
            Query(
                f"sum by (site) (rate(redis_evicted_keys_total{{{S}}}[$__rate_interval]))",
                "driven out {{site}}",
            ),
        ),
    ),
)

WATCH = Row(
    "The monitoring itself",
    (
        stat(
            "Alertmanagers that see each other",
            "One is alone during a cut, and then both send.",
            units.COUNT,
            Query("min by (site) (alertmanager_cluster_members)", "{{site}}"),
            steps=at_least(2, 2),
            width=6,
        ),
        stat(
            "Notifications that failed",
            "In the time shown.",
            units.COUNT,
            Query("sum by (site) (increase(alertmanager_notifications_failed_total[$__range]))", "{{site}}"),
            steps=at_most(1, 1),
            width=6,
        ),
        series(
            "Time series in memory",
            "Each Prometheus has both sites. A steep rise is a label with too many values.",
            units.COUNT,
            Query("max by (site) (prometheus_tsdb_head_series)", "{{site}}"),
            width=12,
            height=8,
        ),
        series(
            "Slowest scrapes",
            "The five targets that take longest; the limit is 10 s.",
            units.SECONDS,
            Query(
                f"topk(5, max by (job, instance) (scrape_duration_seconds{{{S}}}))", "{{job}} {{instance}}"
            ),
            steps=at_most(5, 10),
        ),
        series(
            "Lines of log taken",
            "By each Loki; both get the same lines.",
            units.PER_SECOND,
            Query(
                "sum by (site) (rate(loki_distributor_lines_received_total[$__rate_interval]))", "{{site}}"
            ),
            links=(Link(names.LOGS, "Logs"),),
        ),
        series(
            "Lines of log by site",
            "By what the chosen Loki has.",
            units.PER_SECOND,
            lines("sum by (site) (rate({host=~`.+`} [$__auto]))", "{{site}}"),
            links=(Link(names.LOGS, "Logs"),),
        ),
    ),
)

BOARD = Board(
    names.DATACENTERS,
    "Datacenters",
    "The same panels for each datacenter, one beside the other, and how each sees the other.",
    (EACH, STATE, CACHE, WATCH),
    (DATACENTER,),
)
