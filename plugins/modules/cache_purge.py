#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Remove kept answers from an edge's cache."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import edge_cache

DOCUMENTATION = r"""
module: cache_purge
short_description: Remove kept answers from an edge's cache
description:
  - Removes from NGINX's cache folder the answers to the given paths, under every host name and with every query.
    The next request for them goes to the service.
  - An answer that is on its way from the service at the same moment may be kept after it; it lives for as long as its
    C(s-maxage) says.
options:
  folder:
    description: NGINX's cache folder.
    type: path
    required: true
  paths:
    description:
      - Paths as in the catalog. C(/products/) is everything below it, C(/cart) is itself and everything below it,
        C(/) is everything.
    type: list
    elements: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Forget the products
  tandem.platform.cache_purge:
    folder: /var/cache/nginx
    paths: [/products/]
"""

RETURN = r"""
purged:
  description: The number of answers that were removed.
  type: int
  returned: always
"""


def main() -> None:
    """Find, remove, tell how many."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    wrong = [path for path in module.params["paths"] if not path.startswith("/")]
    if wrong:
        module.fail_json(msg=f"{', '.join(wrong)}: a path starts with a slash, as in /products/")
    try:
        found = edge_cache.find(Path(module.params["folder"]), module.params["paths"])
        if not module.check_mode:
            edge_cache.remove(found)
    except OSError as error:
        module.fail_json(msg=f"The cache could not be purged: {error}")
    module.exit_json(changed=bool(found), purged=len(found))


if __name__ == "__main__":
    main()
