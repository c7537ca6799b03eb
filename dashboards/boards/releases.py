"""Which release of what runs where, what starts, and what timers did."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row
from dashboards.panels import at_most, series, stat, states, table
from dashboards.promql import error_share
from dashboards.variables import SITE

S = 'site=~"$site"'
NO_RUN = "no timer has run since the deployment"

WHAT = Row(
    "What runs",
    (
        stat(
            "Services with more than one release",
            "While a release is on its way, or after a run that was interrupted: run site.yml.",
            units.COUNT,
            Query(
                "count(count by (service) (count by (service, release) (tandem_release_info)) > 1) or vector(0)"
            ),
            steps=at_most(1, 5),
            width=6,
        ),
        stat(
            "Instances that run",
            "Of all services.",
            units.COUNT,
            Query(f'sum(tandem_service_instances{{state="running",{S}}})'),
            width=6,
        ),
        stat(
            "Instances wanted",
            "By the catalog; of a service that follows its load, the least.",
            units.COUNT,
            Query(f'sum(tandem_service_instances{{state="wanted",{S}}})'),
            width=6,
        ),
        stat(
            "Instances left out of their door",
            "A release is on its way there, or somebody took them out.",
            units.COUNT,
            Query(f'sum(tandem_service_instances{{state="drained",{S}}})'),
            steps=at_most(1, 3),
            width=6,
        ),
        table(
            "Releases",
            "Hosts on which processes of each release run.",
            units.COUNT,
            Query(f"count by (service, release) (tandem_release_info{{{S}}} == 1)"),
            links=(names.THIS_SERVICE,),
        ),
        table(
            "Instances by host",
            "Running, wanted, left out.",
            units.COUNT,
            Query(f"sum by (service, host, state) (tandem_service_instances{{{S}}})"),
            links=(names.THIS_HOST,),
        ),
    ),
)

WHEN = Row(
    "When",
    (
        states(
            "Releases of each service",
            "More than one while a release is on its way.",
            Query("count by (service) (count by (service, release) (tandem_release_info))", "{{service}}"),
            width=24,
            height=10,
        ),
        series(
            "Starts",
            "Of instances in 5 minutes, by service. Without a release: they crash.",
            units.COUNT,
            Query(
                f'sum by (service) (changes(process_start_time_seconds{{job="service",{S}}}[5m]))',
                "{{service}}",
            ),
            width=12,
            links=(names.THIS_SERVICE, names.ITS_LOGS),
        ),
        series(
            "Errors at the same time",
            "Share of 5xx by service.",
            units.SHARE,
            Query(
                error_share(S, "service"),
                "{{service}}",
            ),
            width=12,
            links=(names.THIS_SERVICE,),
        ),
        table(
            "Programs under supervisord",
            "Of services whose manager is supervisord.",
            units.NONE,
            Query(f"max by (service, host, program, state) (tandem_supervisord_program_state{{{S}}}) == 1"),
            hidden=("Value",),
            width=24,
            empty="no service of the catalog has this manager",
        ),
    ),
)

TIMERS = Row(
    "Timers",
    (
        table(
            "Last run",
            "Seconds since the newest run of each timer that any host knows of.",
            units.SECONDS,
            Query("time() - max by (timer) (tandem_timer_last_run_timestamp_seconds)"),
            width=8,
            empty=NO_RUN,
        ),
        table(
            "Last result",
            "Exit code of the newest run, by the host that knows the newest one. Not 0 is a failure.",
            units.NONE,
            Query(
                "max by (timer) (tandem_timer_last_exit_code and on (timer, host)"
                " (tandem_timer_last_run_timestamp_seconds"
                " == on (timer) group_left () max by (timer) (tandem_timer_last_run_timestamp_seconds)))"
            ),
            width=8,
            empty=NO_RUN,
        ),
        table(
            "Duration of the last run",
            "Of the longest that a host remembers.",
            units.SECONDS,
            Query("max by (timer) (tandem_timer_last_duration_seconds)"),
            width=8,
            empty=NO_RUN,
        ),
        table(
            "Leases",
            "Timers that run now, and for how many seconds nobody else may.",
            units.SECONDS,
            Query("max by (timer) (tandem_lease_expires_seconds) > 0"),
            width=24,
            height=6,
            empty="no timer runs at this moment",
        ),
    ),
)

BOARD = Board(
    names.RELEASES,
    "Releases",
    "Which release runs where, since when, and what timers did.",
    (WHAT, WHEN, TIMERS),
    (SITE,),
)
