# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""supervisord's listener that starts again what supervisord has given up (state FATAL), a while later.

It also writes down the states of all programs, for the platform's exporter, which may not speak to supervisord: whoever
may, may also stop programs.

It looks at all programs at every tick, so that it needs no memory and loses nothing when it is itself started again.
Each tick is acknowledged at once, before what is done about it.
"""

from __future__ import annotations

import json
import os
import sys
import xmlrpc.client
from pathlib import Path
from typing import Any

WAIT_SECONDS = 30
FATAL = 200  # supervisor.states.ProcessStates


def given_up(programs: list[dict[str, Any]]) -> list[str]:
    """Return the programs that were given up long enough ago."""
    return [
        f"{program['group']}:{program['name']}"
        for program in programs
        if program["state"] == FATAL and program["now"] - program["stop"] >= WAIT_SECONDS
    ]


def write_states(programs: list[dict[str, Any]], path: Path) -> None:
    """Put states and processes of the programs into a file that everybody may read; without the listener's own."""
    states = {
        program["name"]: {"state": program["statename"], "pid": program["pid"]}
        for program in programs
        if "@" in program["name"]
    }
    new = path.with_suffix(".new")
    new.write_text(json.dumps(states, sort_keys=True) + "\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


def revive(server: Any, programs: list[dict[str, Any]]) -> None:
    """Start again what was given up; how that fares is in supervisord's own log."""
    for name in given_up(programs):
        print(f"starting {name} again, which was given up", file=sys.stderr, flush=True)
        try:
            server.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            print(f"{name}: {fault.faultString}", file=sys.stderr, flush=True)


def main() -> None:
    """Answer ticks for ever. Arguments: the file of states, and `revive`, or `watch` to start nothing again."""
    # Of Debian's package; the functions above need no more than this Python.
    from supervisor import childutils

    path, duty = Path(sys.argv[1]), sys.argv[2]
    server = childutils.getRPCInterface(os.environ).supervisor
    while True:
        childutils.listener.wait(sys.stdin, sys.stdout)
        childutils.listener.ok(sys.stdout)
        programs = server.getAllProcessInfo()
        try:
            write_states(programs, path)
        except OSError as error:
            print(f"{path}: {error}", file=sys.stderr, flush=True)
        if duty == "revive":
            revive(server, programs)


if __name__ == "__main__":
    main()
