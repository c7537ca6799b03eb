"""One dashboard for every service: requests, errors, duration; events; what an instance uses."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Link, Query, Row
from dashboards.panels import NO, YES, at_least, at_most, logs, series, stacked, stat
from dashboards.promql import answers, durations, error_share, rate, within
from dashboards.variables import SERVICE, SITE

THIS = 'service=~"$service",site=~"$site"'
FAILED = answers(f'{THIS},status=~"5.."')
RATE = rate(answers(THIS))

NOW = Row(
    "Now",
    (
        stat(
            "Instances that answer",
            "Scraped in the last 15 s, without those on demand.",
            units.COUNT,
            Query(f'sum(up{{job="service",on_demand!="true",{THIS}}})'),
            width=6,
        ),
        stat(
            "Instances missing",
            "Wanted and not running.",
            units.COUNT,
            Query(
                f'sum(clamp_min(tandem_service_instances{{state="wanted",{THIS}}}'
                f' - ignoring (state) tandem_service_instances{{state="running",{THIS}}}, 0))'
            ),
            steps=at_most(1, 2),
            width=6,
            links=(names.TO_RELEASES,),
        ),
        stat(
            "Requests answered well",
            "Share that was not answered 5xx, in the time shown.",
            units.SHARE,
            Query(
                f"1 - (sum(increase({FAILED}[$__range])) or vector(0)) / sum(increase({answers(THIS)}[$__range]))"
            ),
            steps=at_least(0.99, 0.999),
            width=6,
        ),
        stat(
            "Starts",
            "Of instances, in the time shown.",
            units.COUNT,
            Query(f'sum(changes(process_start_time_seconds{{job="service",{THIS}}}[$__range]))'),
            width=6,
            links=(names.TO_RELEASES,),
        ),
    ),
)

RED = Row(
    "Requests, errors, duration",
    (
        series(
            "Requests",
            "By route.",
            units.REQUESTS_PER_SECOND,
            Query(f"sum by (service, method, route) ({RATE})", "{{service}} {{method}} {{route}}"),
            links=(names.ITS_LOGS,),
        ),
        series(
            "Errors",
            "Share of 5xx, by service.",
            units.SHARE,
            Query(error_share(THIS, "service"), "{{service}}"),
            steps=at_most(0.001, 0.01),
            links=(names.ITS_LOGS,),
        ),
        series(
            "Duration",
            "Within this time so many of 100 requests are answered.",
            units.SECONDS,
            *(Query(within(share, durations(THIS)), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99)),
        ),
        series(
            "Duration by route",
            "95 of 100 requests are answered within this time.",
            units.SECONDS,
            Query(
                within(0.95, durations(THIS), "service", "method", "route"),
                "{{service}} {{method}} {{route}}",
            ),
        ),
        stacked(
            "Answers",
            "By status. 4xx are the callers' errors, except 429 and 425.",
            units.REQUESTS_PER_SECOND,
            Query(f"sum by (status) ({RATE})", "{{status}}"),
        ),
        series(
            "Requests by instance",
            "Unequal ones: a door sends fewer to it, or it takes longer.",
            units.REQUESTS_PER_SECOND,
            Query(f"sum by (instance) ({RATE})", "{{instance}}"),
        ),
    ),
)

SATURATION = Row(
    "What an instance uses",
    (
        series(
            "Requests being answered",
            "By instance; eight threads each.",
            units.COUNT,
            Query(f"sum by (instance) (http_requests_in_progress{{{THIS}}})", "{{instance}}"),
            steps=at_most(6, 8),
        ),
        series(
            "Processor",
            "Processors that an instance keeps busy.",
            units.COUNT,
            Query(
                f'sum by (instance) (rate(process_cpu_seconds_total{{job="service",{THIS}}}[$__rate_interval]))',
                "{{instance}}",
            ),
        ),
        series(
            "Memory",
            "Of the process that answers; limits of the catalog hold for all of a unit.",
            units.BYTES,
            Query(
                f'max by (instance) (process_resident_memory_bytes{{job="service",{THIS}}})', "{{instance}}"
            ),
        ),
        series(
            "Database connections at work",
            "Share of the pool.",
            units.SHARE,
            Query(
                f"sum by (instance) (database_pool_checked_out{{{THIS}}})"
                f" / sum by (instance) (database_pool_size{{{THIS}}})",
                "{{instance}}",
            ),
            most=1,
            steps=at_most(0.8, 1),
            links=(names.TO_POSTGRES,),
        ),
        series(
            "Time to get a database connection",
            "95 of 100 waits are shorter.",
            units.SECONDS,
            Query(
                within(0.95, f"database_pool_wait_seconds_bucket{{{THIS}}}", "service"),
                "{{service}}",
            ),
            links=(names.TO_POSTGRES,),
        ),
        series(
            "Reads from the site's cache",
            "By where the answer came from: a copy, somebody else's computation, computed, or without Valkey.",
            units.OPERATIONS_PER_SECOND,
            Query(
                f"sum by (region, outcome) (rate(cache_reads_total{{{THIS}}}[$__rate_interval]))",
                "{{region}} {{outcome}}",
            ),
            empty="the chosen services have no cache",
            filled=True,
        ),
        series(
            "Errors of the site's cache",
            "What went wrong with Valkey; the services go on without it.",
            units.PER_SECOND,
            Query(f"sum by (reason) (rate(cache_failures_total{{{THIS}}}[$__rate_interval]))", "{{reason}}"),
            width=12,
            empty="a series begins with the first failure",
        ),
        stat(
            "Cache is used",
            "No: an instance leaves Valkey alone because it failed.",
            units.NONE,
            Query(f"min by (service, site) (cache_usable{{{THIS}}})", "{{service}} {{site}}"),
            words=(NO, YES),
            steps=at_least(1, 1),
            width=12,
            height=8,
            empty="the chosen services have no cache",
            filled=True,
        ),
    ),
)

EVENTS = Row(
    "Events that it handles",
    (
        series(
            "Events",
            "By type and what became of them.",
            units.MESSAGES_PER_SECOND,
            Query(
                f"sum by (service, type, outcome) (rate(events_consumed_total{{{THIS}}}[$__rate_interval]))",
                "{{service}} {{type}} {{outcome}}",
            ),
            links=(names.TO_RABBITMQ,),
            empty="the chosen services handle no events, or had none since they started",
            filled=True,
        ),
        series(
            "Time to handle one",
            "95 of 100 are handled within this time.",
            units.SECONDS,
            Query(
                within(0.95, f"events_seconds_bucket{{{THIS}}}", "service", "type"),
                "{{service}} {{type}}",
            ),
            links=(names.TO_RABBITMQ,),
            empty="the chosen services handle no events, or had none since they started",
            filled=True,
        ),
        series(
            "Age when they come",
            "Outbox, relay and queue together.",
            units.SECONDS,
            Query(f"max by (service, type) (event_lag_seconds{{{THIS}}})", "{{service}} {{type}}"),
            links=(names.TO_RABBITMQ,),
            empty="the chosen services handle no events, or had none since they started",
            filled=True,
        ),
    ),
)

LINES = Row(
    "What it says",
    (
        logs(
            "Warnings and errors",
            "Of the chosen services; a line's request id leads to what edge and other services said of it.",
            f"{{{THIS},level=~`warning|error|critical`}}",
            links=(Link(names.LOGS, "Logs", keep=("service",)),),
            empty="nothing went wrong",
        ),
    ),
)

BOARD = Board(
    names.SERVICES,
    "Services",
    "Requests, errors and duration of any service of the catalog, its events, and what its instances use.",
    (NOW, RED, SATURATION, EVENTS, LINES),
    (SITE, SERVICE),
)
