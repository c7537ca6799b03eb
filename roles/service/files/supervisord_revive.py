# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""supervisord's listener that starts again what supervisord has given up (state FATAL), a while later.

It looks at all programs at every tick, so that it needs no memory and loses nothing when it is itself started again.
Each tick is acknowledged at once, before what is done about it.
"""

from __future__ import annotations

import os
import sys
import xmlrpc.client
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


def revive(server: Any) -> None:
    """Start again what was given up; how that fares is in supervisord's own log."""
    for name in given_up(server.getAllProcessInfo()):
        print(f"starting {name} again, which was given up", file=sys.stderr, flush=True)
        try:
            server.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            print(f"{name}: {fault.faultString}", file=sys.stderr, flush=True)


def main() -> None:
    """Answer ticks for ever."""
    # Of Debian's package; the functions above need no more than this Python.
    from supervisor import childutils

    server = childutils.getRPCInterface(os.environ).supervisor
    while True:
        childutils.listener.wait(sys.stdin, sys.stdout)
        childutils.listener.ok(sys.stdout)
        revive(server)


if __name__ == "__main__":
    main()
