# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""From inventory and catalog to everything that playbooks, roles and templates need.

A pure function: it reads no variable, file or host by itself. The action plugin ``derive`` feeds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .apt_repositories import apt_repositories_view
from .event_rules import check_events
from .gateway_rules import check_gateway
from .inventory import Groups, HostVariables, Inventory, read_inventory
from .pools import check_pools
from .problems import Problem, Report, did_you_mean, listing
from .project_files import ProjectFiles
from .prometheus_settings import check_prometheus
from .quorum import check_postgres
from .schedule_rules import check_schedules
from .schedules import Calendar, calendar_problem
from .service_files import check_files
from .service_rules import check_services
from .services import Catalog, read_catalog
from .settings import HOST_VARIABLES, PREFIX, Platform, read_platform
from .timeout_profiles import Profile
from .timeouts import choose
from .views_alerts import alerts_view
from .views_edge import haproxy_view, nginx_view, smoke_paths
from .views_exporter import exporter_view
from .views_gateway import api_clients
from .views_host import certificates_view, edge_certificate_view, etc_hosts_view, host_view
from .views_logs import logs_view
from .views_metrics import JOBS, metrics_view, prometheus_view
from .views_postgres import postgres_view
from .views_rabbitmq import rabbitmq_view
from .views_service import apps_view, service_views
from .views_valkey import valkey_view


@dataclass(frozen=True)
class Inputs:
    """What the inventory says, as plain data.

    ``platform``: the ``platform_*`` variables of the platform; ``services`` and ``override``: the catalog's
    two files; ``groups``: hosts by group; ``hosts``: per host its own ``platform_*`` variables and
    ``ansible_host``.
    """

    platform: Mapping[str, Any]
    services: Any
    override: Any
    groups: Groups
    hosts: HostVariables


@dataclass(frozen=True)
class Derivation:
    """The derived structure, or null when there are problems; and what a person should know."""

    platform: dict[str, Any] | None
    problems: list[Problem]
    warnings: list[str]


def derive(inputs: Inputs, files: ProjectFiles, calendar: Calendar = calendar_problem) -> Derivation:
    """Validate everything, then derive everything; all problems are returned at once.

    ``calendar`` says what is wrong with a schedule.
    """
    report = Report()
    _check_host_variables(inputs.hosts, report)
    platform = read_platform(inputs.platform, files, report)
    profile = choose(inputs.platform.get("platform_timeouts", "normal"), report)
    catalog = read_catalog(inputs.services, inputs.override, report)
    result = None
    if platform is not None:
        inventory = read_inventory(inputs.groups, inputs.hosts, platform, report)
        check_postgres(inventory, platform, report)
        check_services(catalog, inventory, report)
        check_events(catalog, report)
        check_schedules(catalog, inventory, calendar, report)
        check_files(catalog, platform.project_dir, files, report)
        check_gateway(platform.gateway, catalog, report)
        check_prometheus(platform.prometheus, JOBS, platform.project_dir, files, report)
        check_pools(catalog, inventory, platform, report)
        if profile is not None and not report.problems:
            result = _views(platform, profile, catalog, inventory, report.warnings)
            result["apt_repositories"] = apt_repositories_view(
                platform.apt_repositories, platform.project_dir, files
            )
    return Derivation(result, sorted(set(report.problems)), report.warnings)


def _check_host_variables(hosts: HostVariables, report: Report) -> None:
    known = [*HOST_VARIABLES, *(PREFIX + name for name in Platform.model_fields)]
    for host, variables in hosts.items():
        for key in variables:
            if key.startswith(PREFIX) and key not in HOST_VARIABLES:
                cure = did_you_mean(key, known, f"remove it; known for a host: {listing(HOST_VARIABLES)}")
                report.refuse(f"hosts.{host}.{key}", "is an unknown key for a host", cure)


def _views(
    platform: Platform, profile: Profile, catalog: Catalog, inventory: Inventory, warnings: list[str]
) -> dict[str, Any]:
    etc_hosts = etc_hosts_view(inventory)
    hosts = {name: host_view(host) for name, host in inventory.hosts.items()}
    if not platform.observability:
        # Without observers, nothing is derived of what is there for them.
        inventory = inventory.without("obs")
    return {
        "name": platform.name,
        "domain": platform.domain,
        "public_names": list(platform.public_names),
        "secrets_dir": platform.secrets_dir,
        "project_dir": platform.project_dir,
        "observability": platform.observability,
        "edge_certificate": edge_certificate_view(platform),
        "sites": {name: site.model_dump() for name, site in platform.sites.items()},
        "hosts": hosts,
        "views": {
            name: {
                "etc_hosts": etc_hosts,
                "certificates": certificates_view(host, inventory, platform),
                "services": service_views(host, catalog, inventory, platform, profile),
                "haproxy": haproxy_view(host, catalog, inventory, platform.gateway),
                "nginx": nginx_view(host, platform, catalog),
                "exporter": exporter_view(host, catalog, inventory, profile.client),
            }
            for name, host in inventory.hosts.items()
        },
        "postgres": postgres_view(catalog, inventory, platform),
        "rabbitmq": rabbitmq_view(catalog, inventory, platform, profile),
        "valkey": valkey_view(catalog, inventory),
        "alerts": alerts_view(inventory, platform),
        "logs": logs_view(catalog, inventory),
        "metrics": metrics_view(catalog, inventory, platform),
        "prometheus": prometheus_view(platform),
        "timeouts": profile.model_dump(),
        "services": {name: service.model_dump() for name, service in catalog.services.items()},
        "apps": apps_view(catalog, platform),
        "api_clients": api_clients(platform.gateway),
        "smoke_paths": smoke_paths(catalog),
        # Ansible prints a result's "warnings" and keeps them to itself; "notices" are the same, as data.
        "warnings": list(warnings),
        "notices": list(warnings),
    }
