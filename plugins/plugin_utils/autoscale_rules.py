# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What an entry whose number of instances follows a metric may say beside it."""

from __future__ import annotations

from collections.abc import Callable

from .catalog import Service
from .problems import Report

Where = Callable[..., str]  # the key, as a person finds it, of a path below the entry


def check_autoscale(service: Service, where: Where, report: Report) -> None:
    """Refuse bounds that exclude each other, a metric that the entry does not have, and keys in its way."""
    autoscale = service.autoscale
    if autoscale is None:
        return
    if autoscale.min > autoscale.max:
        report.refuse(
            where("autoscale", "min"),
            f"{autoscale.min} is more than max, {autoscale.max}",
            "write at most max",
        )
    if service.schedule is not None:
        report.refuse(
            where("autoscale"),
            "stands beside schedule: a timer has one run at a time on a host",
            "remove autoscale or schedule",
        )
        return
    if "instances" in service.model_fields_set:
        report.refuse(
            where("instances"),
            "stands beside autoscale, which says how many there are",
            "remove instances; min and max are its bounds",
        )
    if service.manager == "supervisord":
        report.refuse(
            where("autoscale"),
            "needs manager: systemd, which starts and stops single instances with limits of their own",
            "write manager: systemd, or replace autoscale by instances",
        )
    _check_metric(autoscale.metric, service, where, report)


def _check_metric(metric: str, service: Service, where: Where, report: Report) -> None:
    if metric == "queue_length" and not service.consumes:
        report.refuse(
            where("autoscale", "metric"),
            "queue_length needs consumes: the entry has no queue",
            "add consumes, or write metric: request_rate for a service with a port",
        )
    elif metric == "queue_length" and service.command and service.command[0].startswith("/"):
        report.refuse(
            where("autoscale", "metric"),
            "queue_length asks a console script of the app, and command is an absolute path",
            "let command begin with a console script that has the command queue-length",
        )
    if metric == "request_rate" and service.port is None:
        report.refuse(
            where("autoscale", "metric"),
            "request_rate needs a port: no request comes to the entry",
            "write metric: queue_length for an entry that consumes, or replace autoscale by instances",
        )
