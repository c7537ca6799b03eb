# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Sending one file along with a module, as actions do that bring a host what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def execute_with_bundle(
    action: Any, module: str, arguments: dict[str, Any], bundle: Path, variables: dict[str, Any]
) -> dict[str, Any]:
    """Copy `bundle` to the host, run `module` there with its path as the argument `bundle`, remove it again.

    `action` is the running `ActionBase`; what it offers for this is named with an underscore, and meant for its heirs.
    """
    action._make_tmp_path()
    shell = action._connection._shell
    remote = action._transfer_file(str(bundle), shell.join_path(shell.tmpdir, bundle.name))
    action._fixup_perms2((shell.tmpdir, remote))
    try:
        answer: dict[str, Any] = action._execute_module(
            module_name=module, module_args={**arguments, "bundle": remote}, task_vars=variables
        )
    finally:
        action._remove_tmp_path(shell.tmpdir)
    return answer
