#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signing_key
short_description: One step of changing a key that signs tokens
description:
  - Changes files in the environment's folder of secrets on the controller, and touches no host.
  - C(prepare) makes the next key, whose public half is then handed out beside the present one's. When everybody has
    it, C(switch) makes the next key the present one; the public half of the one before is handed out on. C(retire)
    ends that.
  - Each step can be repeated after it was interrupted.
options:
  key:
    description: The key as SERVICE/SECRET of the catalog.
    type: str
    required: true
  services:
    description: The merged catalog, as M(tandem.platform.derive) returns it.
    type: dict
    required: true
  step:
    description: What to do.
    type: str
    choices: [prepare, switch, retire]
    required: true
  minimum_age:
    description: Refuse to prepare a change while the last one is younger than so many seconds.
    type: int
    default: 900
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Make the next key
  tandem.platform.signing_key:
    key: users/jwt_key
    services: "{{ platform.services }}"
    step: prepare
  run_once: true
"""

RETURN = r"""
state:
  description: Which of C(next) and C(previous) there are beside the present key.
  type: list
  elements: str
  returned: success
"""
