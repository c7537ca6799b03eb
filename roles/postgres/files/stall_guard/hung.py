"""The decision about a hung primary: its Postgres answers nobody, and its keeper goes on reporting.

pg_auto_failover 2.2 calls such a node healthy: it fails over only when the keeper is silent too or says that
Postgres does not run. Three witnesses must agree before the guard asks for a failover: the monitor's own
health check, the keeper, which reports but has not been able to read its Postgres's WAL position, and our own
connection. And the standby must be in good order. docs/stall-guard.md says why nothing acknowledged is lost.
"""

from __future__ import annotations

from dataclasses import replace

from .decisions import Decision, Kind, Outcome, RequestFailover, Result
from .memory import Hang, Limits, Memory
from .observations import HEALTH_BAD, HEALTH_GOOD, MonitorView, Node, Unanswered

KEEPER_PERIODS = 2.0
"""Times `fresh`: the keeper of a hung Postgres reports every 5 s (two connects of 2 s and a pause)."""
PAUSE_BETWEEN_FAILOVERS = 120.0
"""Seconds that must lie between two failovers requested by the guard."""
LONGEST_RETRY_PAUSE = 300.0
"""Seconds; pauses after a refused request double up to this."""


def consider_failover(
    limits: Limits,
    memory: Memory,
    view: MonitorView,
    pair: tuple[Node, Node],
    answer: Unanswered,
    now: float,
) -> tuple[Memory, Decision | None]:
    """Return the memory with the episode of this hang, and the request for a failover when it is time."""
    hang = memory.hang
    if hang is None:
        hang = Hang(since=answer.asked, was_in_step=memory.in_step_at is not None)
        memory = replace(memory, hang=hang)
    due = limits.hung > 0 and now - hang.since >= limits.hung and now >= hang.not_before
    if not due or hang.requested or not hang.was_in_step or objection(limits, view, pair):
        return memory, None
    primary, standby = pair
    decision = Decision(
        Kind.FAILOVER,
        primary.name,
        standby.name,
        f"{primary.name} has given no answer for {now - hang.since:.1f} s although its keeper reports: "
        f"failover to {standby.name} requested",
        (RequestFailover(primary.group),),
    )
    return memory, decision


def objection(limits: Limits, view: MonitorView, pair: tuple[Node, Node]) -> str | None:
    """Return why a failover must not be requested now, or None; looks at everything but the states."""
    primary, standby = pair
    checks = (
        (view.marker is None, "a standby is set aside: it lacks acknowledged writes"),
        (primary.health == HEALTH_BAD, f"the monitor's health check reaches {primary.name}"),
        (primary.age < KEEPER_PERIODS * limits.fresh, f"the keeper of {primary.name} is silent"),
        (primary.wal_age >= limits.hung, f"the keeper of {primary.name} reads its WAL position"),
        (standby.health == HEALTH_GOOD, f"{standby.name} is not healthy"),
        (standby.age < limits.fresh, f"the keeper of {standby.name} is silent"),
        (standby.quorum, f"commits do not wait for {standby.name}"),
        (standby.priority > 0, f"{standby.name} is not a candidate"),
        (
            view.failover_age is None or view.failover_age >= PAUSE_BETWEEN_FAILOVERS,
            "the guard requested a failover a short while ago",
        ),
    )
    states = primary.is_("primary") and standby.is_("secondary")
    under_way = primary.assigned == "draining" and standby.assigned == "prepare_promotion"
    if not (states or under_way):
        return "the pair is not in a stable state"
    return next((reason for holds, reason in checks if not holds), None)


def after_request(hang: Hang, outcome: Outcome, now: float) -> Hang:
    """Return the episode after a request: a second one only when the first was not done, after a pause.

    When the outcome is unknown, the log row that is written in the same transaction tells: it makes the age
    of the last failover an objection.
    """
    if outcome.result is Result.DONE:
        return replace(hang, requested=True)
    pause = min(LONGEST_RETRY_PAUSE, 10.0 * 2**hang.attempts)
    return replace(hang, attempts=hang.attempts + 1, not_before=now + pause)
