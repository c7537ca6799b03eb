# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Whether Ansible would read the secrets' folder as part of the inventory.

Ansible takes every file below an inventory folder for a list of hosts, but for hidden ones and those that its
configuration ignores: a password in such a file becomes the name of a host, and is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from .problems import Report, shown

WHERE = "platform_secrets_dir"


def is_read_as_inventory(folder: str, sources: Iterable[str], ignored: Callable[[str], bool]) -> bool:
    """Tell whether a folder is inside an inventory folder and on no part of its way there ignored.

    ``sources`` are the inventory folders, absolute; ``ignored`` tells whether Ansible passes over a name.
    """
    path = PurePosixPath(folder)
    for source in sources:
        if path.is_relative_to(source):
            below = path.relative_to(source).parts
            if not any(ignored(part) for part in below):
                return True
    return False


def check_secrets_folder(
    folder: object, sources: Iterable[str], ignored: Callable[[str], bool], report: Report
) -> None:
    """Refuse a secrets' folder that Ansible would read as inventory."""
    if isinstance(folder, str) and is_read_as_inventory(folder, sources, ignored):
        report.refuse(
            WHERE,
            f"{shown(folder)} is inside the inventory, where Ansible would take a password for a host's name",
            'make it a hidden folder, as in "{{ inventory_dir }}/.secrets", and move what is there already',
        )
