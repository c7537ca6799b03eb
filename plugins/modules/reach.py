#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reach
short_description: Find the hosts of the play that do not answer
description:
  - Opens a TCP connection to the SSH port of every host of the play, all at once, from the controller. A run
    over a platform with a dead host then costs two seconds and not one SSH timeout per play.
  - Hosts that Ansible does not reach directly by SSH (another connection, a jump host) count as reachable.
  - Fails when no host answers.
options:
  timeout:
    description: Seconds to wait for each connection.
    type: float
    default: 2
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Find the hosts that do not answer
  tandem.platform.reach:
  run_once: true
  register: reach
"""

RETURN = r"""
left_out:
  description: Names of the hosts that do not answer.
  type: list
  elements: str
  returned: success
reasons:
  description: Why, by host.
  type: dict
  returned: success
"""
