"""The edges: NGINX, and HAProxy as their router and as the hosts' doors."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row
from dashboards.panels import DOWN, UP, at_least, at_most, lines, series, stacked, stat, states, table
from dashboards.variables import SITE

S = 'site=~"$site"'
NGINX = f'{{service="nginx",{S}}}'
ROUTER = f'proxy=~"router|ingress",{S}'
ROUTES = f'proxy=~"route_.+",{S}'

UP_OR_NOT = Row(
    "Is it up",
    (
        states(
            "Pages come",
            "Through each edge, by the public name, asked from both datacenters.",
            Query(f'min by (host) (probe_success{{job="blackbox",{S}}})', "{{host}}"),
            words=(DOWN, UP),
            links=(names.HOST_LOGS,),
        ),
        series(
            "How long they take",
            "With TLS and transfer; the slower datacenter's view.",
            units.SECONDS,
            Query(f'max by (host) (probe_duration_seconds{{job="blackbox",{S}}})', "{{host}}"),
            width=12,
            height=6,
        ),
        stat(
            "NGINX",
            "Whether its status page answers.",
            units.NONE,
            Query(f"min by (host) (nginx_up{{{S}}})", "{{host}}"),
            words=(DOWN, UP),
            steps=at_least(1, 1),
            width=12,
        ),
        stat(
            "Certificate of the public name",
            "Time until it ends.",
            units.SECONDS,
            Query(
                f'min by (host) (tandem_certificate_not_after_seconds{{name="edge",{S}}}) - time()',
                "{{host}}",
            ),
            steps=at_least(7 * 86400, 21 * 86400),
            width=12,
        ),
    ),
)

USERS = Row(
    "NGINX: what users send",
    (
        series(
            "Requests",
            "By edge.",
            units.REQUESTS_PER_SECOND,
            Query(f"sum by (host) (rate(nginx_http_requests_total{{{S}}}[$__rate_interval]))", "{{host}}"),
            links=(names.THIS_HOST,),
        ),
        stacked(
            "Connections",
            "Reading a request, writing an answer, waiting for the next request.",
            units.COUNT,
            Query(f"sum(nginx_connections_reading{{{S}}})", "reading"),
            Query(f"sum(nginx_connections_writing{{{S}}})", "writing"),
            Query(f"sum(nginx_connections_waiting{{{S}}})", "waiting"),
        ),
        series(
            "Connections that were dropped",
            "Taken and not handled: worker_connections is too small.",
            units.PER_SECOND,
            Query(
                f"sum by (host) (rate(nginx_connections_accepted{{{S}}}[$__rate_interval]))"
                f" - sum by (host) (rate(nginx_connections_handled{{{S}}}[$__rate_interval]))",
                "{{host}}",
            ),
        ),
        stacked(
            "Answers",
            "By status, from the access log.",
            units.REQUESTS_PER_SECOND,
            lines(
                f'sum by (status) (rate({NGINX} | json status="status" | status != "" | __error__="" [$__auto]))',
                "{{status}}",
            ),
        ),
        series(
            "Time to answer",
            "From the first byte of the request to the last of the answer.",
            units.SECONDS,
            *(
                lines(
                    f'quantile_over_time({share}, {NGINX} | json seconds="seconds" | seconds != ""'
                    ' | unwrap seconds | __error__="" [$__auto]) by (service)',
                    f"p{share * 100:.0f}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
        ),
        stacked(
            "Cache",
            "Pages by where they came from. MISS and EXPIRED asked a service, HIT did not, STALE is an old page "
            "because of an error.",
            units.REQUESTS_PER_SECOND,
            lines(
                f'sum by (cache) (rate({NGINX} | json cache="cache" | cache != "" | __error__="" [$__auto]))',
                "{{cache}}",
            ),
        ),
    ),
)

ROUTERS = Row(
    "HAProxy: routers",
    (
        stacked(
            "Answers",
            "Of the routers, by class.",
            units.REQUESTS_PER_SECOND,
            Query(
                f"sum by (code) (rate(haproxy_frontend_http_responses_total{{{ROUTER}}}[$__rate_interval]))",
                "{{code}}",
            ),
        ),
        series(
            "Errors by service",
            "5xx of each service's backends: their own, and those that HAProxy gives when nobody answers.",
            units.REQUESTS_PER_SECOND,
            Query(
                f'sum by (proxy) (rate(haproxy_backend_http_responses_total{{{ROUTES},code="5xx"}}[$__rate_interval]))',
                "{{proxy}}",
            ),
        ),
        series(
            "Refused by a limit",
            "429 and what else the gateway denies: docs/edge.md says how to see whom.",
            units.REQUESTS_PER_SECOND,
            Query(
                f"sum by (host) (rate(haproxy_frontend_requests_denied_total{{{ROUTER}}}[$__rate_interval]))",
                "{{host}}",
            ),
        ),
        series(
            "Time until a service answers",
            "Mean of the last 1024 requests, by backend; the slowest router.",
            units.SECONDS,
            Query(f"max by (proxy) (haproxy_backend_response_time_average_seconds{{{ROUTES}}})", "{{proxy}}"),
        ),
        series(
            "Requests that wait",
            "For a free place at a server.",
            units.COUNT,
            Query(f"sum by (proxy) (haproxy_backend_current_queue{{{ROUTES}}})", "{{proxy}}"),
        ),
        series(
            "Sent again",
            "Tried again on the same server, or on another one, because the first did not take it.",
            units.REQUESTS_PER_SECOND,
            Query(f"sum(rate(haproxy_backend_retry_warnings_total{{{ROUTES}}}[$__rate_interval]))", "again"),
            Query(
                f"sum(rate(haproxy_backend_redispatch_warnings_total{{{ROUTES}}}[$__rate_interval]))",
                "elsewhere",
            ),
        ),
        series(
            "Doors that take requests",
            "Hosts to which a service's requests can go, by router; the smallest number.",
            units.COUNT,
            Query(f"min by (proxy) (haproxy_backend_active_servers{{{ROUTES}}})", "{{proxy}}"),
            width=12,
        ),
        table(
            "Servers that take no requests",
            "Doors as the routers see them (route_…), instances as their door sees them (svc_…). MAINT is an "
            "instance on demand that is not needed.",
            units.NONE,
            Query(
                "max by (host, proxy, server, state)"
                f' (haproxy_server_status{{{S},state=~"DOWN|NOLB|MAINT|DRAIN"}}) == 1'
            ),
            hidden=("Value",),
            empty="all servers take requests",
        ),
    ),
)

PROCESSES = Row(
    "HAProxy: processes",
    (
        series(
            "Busy",
            "Share of the time in which the process had something to do.",
            units.SHARE,
            Query(f"1 - min by (host) (haproxy_process_idle_time_percent{{{S}}}) / 100", "{{host}}"),
            most=1,
            links=(names.THIS_HOST,),
        ),
        series(
            "Connections",
            "Share of the most that the process takes.",
            units.SHARE,
            Query(
                f"max by (host) (haproxy_process_current_connections{{{S}}} / haproxy_process_max_connections{{{S}}})",
                "{{host}}",
            ),
            most=1,
            steps=at_most(0.7, 0.9),
        ),
        series(
            "TLS handshakes",
            "New ones, by host.",
            units.PER_SECOND,
            Query(f"max by (host) (haproxy_process_current_ssl_rate{{{S}}})", "{{host}}"),
        ),
    ),
)

BOARD = Board(
    names.EDGE,
    "Edges",
    "What users reach: NGINX, the routers, and the doors behind them.",
    (UP_OR_NOT, USERS, ROUTERS, PROCESSES),
    (SITE,),
)
