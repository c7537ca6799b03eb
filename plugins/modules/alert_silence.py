#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Silence one host's alerts for a while."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import alert_silences

DOCUMENTATION = r"""
module: alert_silence
short_description: Silence one host's alerts for a while
description:
  - Makes a silence of the alerts whose label C(host) is the given one, or ends those that it made. Other hosts'
    alerts, and those of the whole platform, still reach people.
  - Runs on a host that the Alertmanagers let in, with a certificate of that host. The first one that answers is enough.
  - Without an answer nothing is silenced and the task does not fail, because monitoring that is down must not keep
    anybody from deploying; it warns, and C(silenced) is false. Without the certificate there is no Alertmanager
    yet, and nothing to warn of.
  - A silence is no state of a host, so the task never counts as a change.
options:
  servers:
    description: Base URLs of the Alertmanagers, as in C(https://msk-obs1:9093).
    type: list
    elements: str
    required: true
  ca:
    description: File with the authority that signs their certificates.
    type: path
    required: true
  certificate:
    description: File with the certificate to show.
    type: path
    required: true
  key:
    description: File with its key.
    type: path
    required: true
  host:
    description: The host whose alerts are meant.
    type: str
    required: true
  state:
    description: C(present) makes a silence, C(absent) ends it.
    type: str
    choices: [present, absent]
    default: present
  seconds:
    description: For how long at most, up to an hour. Required to make one.
    type: int
  reason:
    description: What people read beside the silence.
    type: str
    default: a planned restart
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Silence the host while it restarts
  tandem.platform.alert_silence:
    servers: ["https://msk-obs1:9093", "https://spb-obs1:9093"]
    ca: /etc/tandem/tls/ca.pem
    certificate: /etc/tandem/tls/alertmanager/certificate.pem
    key: /etc/tandem/tls/alertmanager/key.pem
    host: msk-data1
    seconds: 300
  delegate_to: msk-obs1
"""

RETURN = r"""
silenced:
  description: Whether it was done.
  type: bool
  returned: always
ids:
  description: Ids of the silences that were made or ended.
  type: list
  elements: str
  returned: always
"""


def main() -> None:
    """Make or end the silence; tell when nobody answers."""
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "host": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "seconds": {"type": "int"},
            "reason": {"type": "str", "default": "a planned restart"},
        },
        required_if=[("state", "present", ["seconds"])],
        supports_check_mode=True,
    )
    wanted = module.params
    present = wanted["state"] == "present"
    if present and not 0 < wanted["seconds"] <= alert_silences.LONGEST_S:
        module.fail_json(msg=f"seconds is {wanted['seconds']}: write 1 to {alert_silences.LONGEST_S}")
    if module.check_mode or not Path(wanted["certificate"]).exists():
        module.exit_json(changed=False, silenced=False, ids=[])
    try:
        client = alert_silences.Client(
            alert_silences.context(wanted["ca"], wanted["certificate"], wanted["key"])
        )
        if present:
            now = datetime.now(UTC)
            silence = alert_silences.silence(wanted["host"], wanted["seconds"], wanted["reason"], now)
            ids = [alert_silences.start(wanted["servers"], client.ask, silence)]
        else:
            ids = alert_silences.end(wanted["servers"], client.ask, wanted["host"])
    except (alert_silences.Unanswered, OSError) as error:
        module.warn(f"Alerts of {wanted['host']} could not be silenced, or a silence not be ended: {error}")
        module.exit_json(changed=False, silenced=False, ids=[])
    module.exit_json(changed=False, silenced=True, ids=ids)


if __name__ == "__main__":
    main()
