"""Logs: how many, of whom, and the lines themselves, by text, request or order."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row
from dashboards.panels import lines, logs, series, stacked
from dashboards.variables import LEVEL, LOG_HOST, LOG_SERVICE, LOG_SITE, ORDER, REQUEST, SEARCH

CHOSEN = '{site=~"$site",host=~"$host",service=~"$service",level=~"$level"}'
FOUND = f"{CHOSEN} |~ `(?i)$search`"
LOGINS = '{service="users",site=~"$site"} | json route="route", status="status" | route="/users/login"'

HOW_MANY = Row(
    "How many",
    (
        stacked(
            "Lines by service",
            "Of what is chosen, with the text.",
            units.PER_SECOND,
            lines(f"sum by (service) (rate({FOUND} [$__auto]))", "{{service}}"),
            width=12,
            links=(names.THIS_SERVICE,),
        ),
        stacked(
            "Lines by level",
            "Of what is chosen, with the text.",
            units.PER_SECOND,
            lines(f"sum by (level) (rate({FOUND} [$__auto]))", "{{level}}"),
            width=12,
        ),
        series(
            "Errors by service",
            "Lines of level error or critical.",
            units.PER_SECOND,
            lines(
                "sum by (service)"
                ' (rate({site=~"$site",host=~"$host",service=~"$service",level=~`error|critical`} [$__auto]))',
                "{{service}}",
            ),
            width=12,
            links=(names.THIS_SERVICE,),
            empty="nothing went wrong",
        ),
        series(
            "Logins",
            "Answers of the service users to logins, by status: 200 succeeded, 401 was refused, 429 came too often. "
            "Who it was is in the audit.",
            units.PER_SECOND,
            lines(f"sum by (status) (rate({LOGINS} [$__auto]))", "{{status}}"),
            width=12,
            empty="nobody tries to log in",
            filled=True,
        ),
    ),
)

LINES = Row(
    "Lines",
    (logs("Lines", "What is chosen, with the text (a regular expression); the newest 200.", FOUND),),
)

ONE = Row(
    "One request, one order",
    (
        logs(
            "All lines of the request",
            "Edge, router, services, workers, and doors that failed; put the request id into its field.",
            '{site=~"$site"} | request_id=`$request_id` | request_id != ``',
            empty="no request is chosen",
        ),
        logs(
            "All lines of the order",
            "Services and workers that worked on it; put the order id into its field.",
            '{site=~"$site"} | order_id=`$order_id` | order_id != ``',
            empty="no order is chosen",
        ),
    ),
)

WAY = Row(
    "On their way",
    (
        series(
            "Sent to Loki",
            "Lines, by the site of the host. Each line goes to both Lokis.",
            units.PER_SECOND,
            Query(
                'sum by (site) (rate(promtail_sent_entries_total{site=~"$site"}[$__rate_interval]))',
                "{{site}}",
            ),
        ),
        series(
            "Tried again",
            "Batches that a Loki did not take, by host. Nothing is lost while the host keeps its journal.",
            units.PER_SECOND,
            Query(
                'sum by (host) (rate(promtail_batch_retries_total{site=~"$site"}[$__rate_interval]))',
                "{{host}}",
            ),
            links=(names.THIS_HOST,),
            empty="a series begins with the first retry",
        ),
        series(
            "Lost",
            "Lines that a Loki refused for good, by reason: docs/logs.md.",
            units.PER_SECOND,
            Query(
                'sum by (reason) (rate(promtail_dropped_entries_total{site=~"$site"}[$__rate_interval]))',
                "{{reason}}",
            ),
        ),
        series(
            "Streams",
            "Combinations of labels that each Loki has in memory; some hundreds are right.",
            units.COUNT,
            Query("sum by (site) (loki_ingester_memory_streams)", "{{site}}"),
            width=12,
        ),
        series(
            "Taken by Loki",
            "Bytes of lines.",
            units.BYTES_PER_SECOND,
            Query(
                "sum by (site) (rate(loki_distributor_bytes_received_total[$__rate_interval]))", "{{site}}"
            ),
            width=12,
        ),
    ),
)

BOARD = Board(
    names.LOGS,
    "Logs",
    "Lines of everything on all hosts, from the chosen datacenter's Loki.",
    (HOW_MANY, LINES, ONE, WAY),
    (LOG_SITE, LOG_HOST, LOG_SERVICE, LEVEL, SEARCH, REQUEST, ORDER),
    span="now-1h",
)
