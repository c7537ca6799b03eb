"""Parts of PromQL that many panels have."""

from __future__ import annotations

ASKED = 'route!~"/health/.+|/metrics"'
"""Routes that somebody wanted something of; the others are asked by the platform itself, all the time."""


def rate(selector: str) -> str:
    """A counter's rate per second, over as long as the panel's resolution asks for."""
    return f"rate({selector}[$__rate_interval])"


def answers(labels: str = "") -> str:
    """The selector of the services' answers."""
    return f"http_requests_total{{{','.join(filter(None, [ASKED, labels]))}}}"


def durations(labels: str = "") -> str:
    """The selector of the services' times to answer."""
    return f"http_request_duration_seconds_bucket{{{','.join(filter(None, [ASKED, labels]))}}}"


def within(share: float, buckets: str, *by: str) -> str:
    """The value below which this share of a histogram's observations is; `buckets` is its selector."""
    return f"histogram_quantile({share}, sum by ({', '.join(['le', *by])}) ({rate(buckets)}))"


def error_share(labels: str, by: str) -> str:
    """The share of the services' answers that are 5xx; 0 where there was none."""
    every = f"sum by ({by}) ({rate(answers(labels))})"
    bad = answers(f'{labels},status=~"5.."')
    return f"(sum by ({by}) ({rate(bad)}) or {every} * 0) / {every}"
