# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing a timeout profile, with values of one's own, and the inequality that keeps it safe.

An isolated primary must stop accepting writes before the other node is promoted::

    wal_sender_timeout + network_partition_timeout + slack
        < node_considered_unhealthy_timeout + primary_demote_timeout
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .problems import Report, did_you_mean, listing, shown
from .schema import Strict, read
from .timeout_profiles import PROFILES, Profile, Promise

SLACK_MS = 1000  # scheduling, clocks and the keeper's own loop of one second
WHERE = "platform_timeouts"


class Choice(Strict):
    """``platform_timeouts`` as a mapping: a profile, with values of one's own over it."""

    profile: Annotated[str, Field(examples=["profile: fast"])]
    postgres: dict[str, int] | None = None
    client: dict[str, int] | None = None
    haproxy: dict[str, int] | None = None
    rabbitmq: dict[str, int] | None = None


def choose(value: Any, report: Report) -> Profile | None:
    """Return the profile that ``platform_timeouts`` names, with its own values; problems go to the report."""
    data = {"profile": value} if isinstance(value, str) else value
    choice, problems = read(Choice, data, WHERE)
    report.problems += [problem for _, problem in problems]
    if choice is None:
        return None
    base = PROFILES.get(choice.profile)
    if base is None:
        known = listing(PROFILES)
        cure = did_you_mean(choice.profile, PROFILES, f"write one of {known}")
        report.refuse(WHERE, f"{shown(choice.profile)} is not a profile", cure)
        return None
    profile = _overridden(base, choice, report)
    if profile is not None:
        check_safety(profile, report)
    return profile


def _overridden(base: Profile, choice: Choice, report: Report) -> Profile | None:
    changes: dict[str, Any] = {}
    sound = True
    for part in ("postgres", "client", "haproxy", "rabbitmq"):
        own = getattr(choice, part)
        if not own:
            continue
        before = getattr(base, part)
        changes[part], problems = read(type(before), before.model_dump() | own, f"{WHERE}.{part}")
        report.problems += [problem for _, problem in problems]
        sound = sound and not problems
    if not sound:
        return None
    if changes:
        changes["promise"] = Promise(
            single_fault_s=None,
            switchover_s=None,
            measured=False,
            text=f"not measured: {base.name} with values of one's own",
        )
        report.warn(f"{WHERE}: the promise of {base.name} does not hold with values of one's own; measure it")
    return base.model_copy(update=changes)


def check_safety(profile: Profile, report: Report) -> None:
    """Refuse values with which both nodes could accept writes at the same time."""
    postgres = profile.postgres
    partition = postgres.network_partition_timeout_s * 1000
    fence = postgres.wal_sender_timeout_ms + partition + SLACK_MS
    promotion = postgres.node_considered_unhealthy_timeout_ms + postgres.primary_demote_timeout_ms
    if fence < promotion:
        return
    report.refuse(
        f"{WHERE}.postgres",
        f"an isolated primary would stop after wal_sender_timeout {postgres.wal_sender_timeout_ms} "
        f"+ network_partition_timeout {partition} + slack {SLACK_MS} = {fence} ms, not before the other node "
        "is promoted after node_considered_unhealthy_timeout "
        f"{postgres.node_considered_unhealthy_timeout_ms} + primary_demote_timeout "
        f"{postgres.primary_demote_timeout_ms} = {promotion} ms: two primaries",
        "lower the first two or raise the last two until the first sum is the smaller one, "
        f"or use a profile as it is: {listing(PROFILES)}",
    )
