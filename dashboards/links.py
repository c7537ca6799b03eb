"""Ways from a panel to another dashboard, with the time that is looked at and with what was chosen."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from dashboards.model import Link

TAG = "tandem"
"""All dashboards have it; the menu of dashboards lists what has it."""


def panel_link(link: Link) -> builders.DashboardLink:
    """A link in a panel's corner."""
    return builders.DashboardLink(link.title).type(dashboard.DashboardLinkType.LINK).url(_address(link))


def data_link(link: Link) -> builders.DashboardLink:
    """A link on each value: the labels of its series are chosen there."""
    chosen = "".join(f"&var-{label}=${{__field.labels.{label}}}" for label in link.labels)
    return (
        builders.DashboardLink(link.title).type(dashboard.DashboardLinkType.LINK).url(_address(link) + chosen)
    )


def _address(link: Link) -> str:
    kept = "".join(f"&${{{name}:queryparam}}" for name in link.keep)
    return f"/d/{link.to}?${{__url_time_range}}{kept}"
