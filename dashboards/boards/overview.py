"""The platform: is it up, from the users' side; then the golden signals, then what it stands on."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Link, Query, Row
from dashboards.panels import DOWN, UP, at_least, at_most, lines, series, stat, table
from dashboards.promql import durations, within
from dashboards.variables import SITE

ROUTER = 'job="haproxy",proxy=~"router|ingress",site=~"$site"'

USERS = Row(
    "For users",
    (
        stat(
            "Answers through each edge",
            "Whether the page that is asked through this edge, by the public name, comes. Asked from both datacenters; "
            "shown is the worse answer.",
            units.NONE,
            Query('min by (host) (probe_success{job="blackbox",site=~"$site"})', "{{host}}"),
            words=(DOWN, UP),
            steps=at_least(1, 1),
            links=(names.TO_EDGE,),
            width=8,
        ),
        stat(
            "Requests answered",
            "Share of requests that reached the edges' routers and were not answered 5xx, in the time shown. What the "
            "edges answer from their cache is not in it.",
            units.SHARE,
            Query(
                f'1 - sum(increase(haproxy_frontend_http_responses_total{{{ROUTER},code="5xx"}}[$__range]))'
                f" / sum(increase(haproxy_frontend_http_responses_total{{{ROUTER}}}[$__range]))"
            ),
            steps=at_least(0.99, 0.999),
            links=(names.TO_EDGE,),
        ),
        stat(
            "Slowest probe",
            "How long the slowest of the asked pages takes, with name, TLS and transfer.",
            units.SECONDS,
            Query('max(probe_duration_seconds{job="blackbox",site=~"$site"})'),
            steps=at_most(0.5, 2),
            links=(names.TO_EDGE,),
        ),
        stat(
            "Alerts that page",
            "Alerts of severity page that fire, silenced or not.",
            units.COUNT,
            Query('count(ALERTS{alertstate="firing",severity="page"}) or vector(0)'),
            steps=at_most(1, 1),
        ),
        stat(
            "Targets that do not answer",
            "Exporters and services that could not be scraped. Instances on demand may be away.",
            units.COUNT,
            Query('count(up{on_demand!="true",site=~"$site"} == 0) or vector(0)'),
            steps=at_most(1, 3),
            links=(Link(names.DATACENTERS, "Datacenters"),),
        ),
    ),
)

SIGNALS = Row(
    "Golden signals",
    (
        series(
            "Error budget",
            "How many times faster than allowed the objective for answers is used up: 1 uses exactly all of it.",
            units.COUNT,
            *(
                Query(
                    f"edge:errors:ratio_rate{window} / on () group_left () (1 - objective:availability:ratio)",
                    f"over {window}",
                )
                for window in ("1h", "6h")
            ),
            width=24,
            height=6,
            steps=at_most(1, 14),
            links=(names.TO_EDGE,),
        ),
        series(
            "Traffic",
            "Requests that the edges' NGINX takes, by datacenter.",
            units.REQUESTS_PER_SECOND,
            Query(
                'sum by (site) (rate(nginx_http_requests_total{site=~"$site"}[$__rate_interval]))', "{{site}}"
            ),
            width=12,
            links=(names.TO_EDGE,),
        ),
        series(
            "Errors",
            "Share of the routers' answers that are 5xx, by datacenter.",
            units.SHARE,
            Query(
                f'sum by (site) (rate(haproxy_frontend_http_responses_total{{{ROUTER},code="5xx"}}[$__rate_interval]))'
                f" / sum by (site) (rate(haproxy_frontend_http_responses_total{{{ROUTER}}}[$__rate_interval]))",
                "{{site}}",
            ),
            width=12,
            steps=at_most(0.001, 0.01),
            links=(names.TO_EDGE,),
        ),
        series(
            "Latency at the edges",
            "What users wait for, by NGINX's access log: from the first byte of the request to the last of the answer, "
            "also from the cache.",
            units.SECONDS,
            *(
                lines(
                    f'quantile_over_time({share}, {{service="nginx",site=~"$site"}} | json seconds="seconds"'
                    ' | seconds != "" | unwrap seconds | __error__="" [$__auto]) by (site)',
                    f"p{share * 100:.0f} {{{{site}}}}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
            width=12,
            links=(names.TO_EDGE,),
        ),
        series(
            "Latency of the services",
            "The services' own measure, of all routes together; 95 of 100 requests are answered within this time.",
            units.SECONDS,
            Query(
                within(0.95, durations('site=~"$site"'), "part_of"),
                "{{part_of}}",
            ),
            width=12,
            links=(Link(names.SERVICES, "Services", keep=("site",)),),
        ),
        series(
            "Saturation: processors",
            "Busy share of each host's processors.",
            units.SHARE,
            Query(
                '1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle",site=~"$site"}[$__rate_interval]))',
                "{{host}}",
            ),
            width=12,
            most=1,
            links=(names.THIS_HOST,),
        ),
        series(
            "Saturation: database connections of the services",
            "Share of an instance's connections that are at work; the fullest instance of each service.",
            units.SHARE,
            Query(
                'max by (service) (sum by (service, instance) (database_pool_checked_out{site=~"$site"})'
                ' / sum by (service, instance) (database_pool_size{site=~"$site"}))',
                "{{service}}",
            ),
            width=12,
            most=1,
            steps=at_most(0.8, 1),
            links=(names.THIS_SERVICE,),
        ),
    ),
)

GROUND = Row(
    "What it stands on",
    (
        stat(
            "Postgres: standbys for which commits wait",
            "0 means that acknowledged writes are on one copy.",
            units.COUNT,
            Query("max(tandem_postgres_sync_standbys)"),
            steps=at_least(1, 1),
            links=(names.TO_POSTGRES,),
        ),
        stat(
            "RabbitMQ: nodes",
            "Nodes that answer; two of three can take messages.",
            units.COUNT,
            Query('sum(min by (host) (up{job="rabbitmq"}))'),
            steps=at_least(2, 3),
            links=(names.TO_RABBITMQ,),
        ),
        stat(
            "Oldest event not sent",
            "Age of the oldest row in the outboxes of all services.",
            units.SECONDS,
            Query("max(tandem_outbox_oldest_seconds)"),
            steps=at_most(30, 120),
            links=(names.TO_RABBITMQ,),
        ),
        stat(
            "Instances missing",
            "Instances of services that are wanted and do not run.",
            units.COUNT,
            Query(
                'sum(clamp_min(tandem_service_instances{state="wanted",site=~"$site"}'
                ' - ignoring (state) tandem_service_instances{state="running",site=~"$site"}, 0))'
            ),
            steps=at_most(1, 2),
            links=(names.TO_RELEASES,),
        ),
        stat(
            "Fullest disk",
            "Used share of the fullest file system.",
            units.SHARE,
            Query(
                'max(1 - node_filesystem_avail_bytes{site=~"$site",fstype!~"tmpfs|ramfs"}'
                ' / node_filesystem_size_bytes{site=~"$site",fstype!~"tmpfs|ramfs"})'
            ),
            steps=at_most(0.8, 0.9),
            links=(Link(names.HOSTS, "Hosts", keep=("site",)),),
        ),
        stat(
            "First certificate to end",
            "Time until the first of all certificates ends. site.yml renews them 30 days before.",
            units.SECONDS,
            Query('min(tandem_certificate_not_after_seconds{site=~"$site"}) - time()'),
            steps=at_least(7 * 86400, 21 * 86400),
            links=(names.TO_EDGE,),
        ),
        table(
            "Alerts that fire",
            "What Prometheus's rules say now, also what Alertmanager holds back: docs/runbooks. The dead man's switch "
            "always fires; when it doesn't, nobody would be told of anything.",
            units.NONE,
            Query('ALERTS{alertstate="firing"}'),
            hidden=("__name__", "alertstate", "Value", "job", "instance"),
            width=24,
        ),
    ),
)

BOARD = Board(
    names.OVERVIEW,
    "Platform",
    "Is the platform up, as its users see it, and if not, where to look.",
    (USERS, SIGNALS, GROUND),
    (SITE,),
)
