# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""How many instances a metric calls for: up at once, down slowly. Pure, and knows nothing of hosts."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Before one instance less: for so long, the others would have had at most this share of what they can do.
CALM_SECONDS = 120.0
CALM_SHARE = 0.7


@dataclass(frozen=True)
class Rule:
    """Between `least` and `most` instances, one for every `per_instance` of the metric."""

    least: int
    most: int
    per_instance: float


@dataclass(frozen=True)
class Decision:
    """How many instances there shall be, and since when (in seconds) one less would have been enough."""

    instances: int
    calm_since: float | None = None


def decide(rule: Rule, running: int, value: float | None, calm_since: float | None, now: float) -> Decision:
    """Return what to do about a metric's value, None when it is not known.

    `running`: instances that there are. `calm_since` is that of the decision before, `now` by the same clock.
    """
    here = min(max(running, rule.least), rule.most)
    if value is None or not math.isfinite(value) or value < 0:
        return Decision(here)
    needed = min(math.ceil(value / rule.per_instance), rule.most)
    if needed > here:
        return Decision(needed)
    fewer = here - 1
    if fewer < rule.least or value > fewer * rule.per_instance * CALM_SHARE:
        return Decision(here)
    since = now if calm_since is None else calm_since
    # The next one goes only after the same time again.
    return Decision(fewer, now) if now - since >= CALM_SECONDS else Decision(here, since)
