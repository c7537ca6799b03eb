"""Put a Postgres instance's leftovers in order before pg_autoctl starts (ExecStartPre of its unit).

Two things that pg_auto_failover 2.2 does not do by itself:

* After a power loss `postmaster.pid` still names a process number that by now may belong to another process; pg_autoctl
  then takes Postgres for running and waits for ever. The file is removed when no process works in the data directory.
* A keeper fences an isolated primary only if it has *ever* noted contact with a standby while its monitor was away
  (`last_secondary_contact` in its state file, 0 at first). A primary that never had that is never fenced. The start of
  the unit is noted as that contact, so every node is able to fence itself from its first start on.
"""

import os
import struct
import sys
import time
from pathlib import Path

STATE_FILE_SIZE = 1024
# Source: KeeperStateData in pg_auto_failover's state.h; fields are only ever added at its end.
STATE_VERSION_OFFSET = 0
LAST_SECONDARY_CONTACT_OFFSET = 64
KNOWN_STATE_VERSION = 1


def state_file(data_directory: Path, home: Path) -> Path:
    """Path of the keeper's state file for a data directory (pg_autoctl follows the XDG rules)."""
    return home / ".local/share/pg_autoctl" / data_directory.relative_to("/") / "pg_autoctl.state"


def works_in(data_directory: Path, processes: Path = Path("/proc")) -> bool:
    """Whether any process has the data directory as its working directory, as every Postgres process has."""
    for cwd in processes.glob("[0-9]*/cwd"):
        try:
            if cwd.readlink() == data_directory:
                return True
        except OSError:
            continue  # gone meanwhile, or another user's: not a Postgres of ours
    return False


def clear_stale_pidfile(data_directory: Path, processes: Path = Path("/proc")) -> bool:
    """Remove `postmaster.pid` when nothing runs in the data directory; return whether it was removed."""
    pidfile = data_directory / "postmaster.pid"
    if not pidfile.exists() or works_in(data_directory, processes):
        return False
    pidfile.unlink()
    return True


def last_secondary_contact(state: bytes) -> int:
    """Unix time of the contact that arms the fence, 0 when it is not armed.

    Raises ValueError for a state file of another layout than pg_auto_failover 2.2's.
    """
    if len(state) != STATE_FILE_SIZE:
        raise ValueError(f"the state file has {len(state)} bytes instead of {STATE_FILE_SIZE}")
    (version,) = struct.unpack_from("<i", state, STATE_VERSION_OFFSET)
    if version != KNOWN_STATE_VERSION:
        raise ValueError(f"the state file has version {version} instead of {KNOWN_STATE_VERSION}")
    (contact,) = struct.unpack_from("<Q", state, LAST_SECONDARY_CONTACT_OFFSET)
    return int(contact)


def arm_fence(path: Path, now: int) -> bool:
    """Note `now` (unix seconds) as the last contact with a standby if there is none; return whether it was noted.

    Raises ValueError for an unknown layout, OSError when the file cannot be written.
    """
    if not path.exists() or last_secondary_contact(path.read_bytes()) > 0:
        return False
    with path.open("r+b") as stream:
        stream.seek(LAST_SECONDARY_CONTACT_OFFSET)
        stream.write(struct.pack("<Q", now))
        stream.flush()
        os.fsync(stream.fileno())
    return True


def main(arguments: list[str]) -> int:
    """Run both steps for the data directory given as the only argument; say what was done."""
    data_directory = Path(arguments[0])
    if clear_stale_pidfile(data_directory):
        print(f"removed {data_directory}/postmaster.pid: no process runs in {data_directory}", flush=True)
    path = state_file(data_directory, Path.home())
    if arm_fence(path, int(time.time())):
        print(f"armed the self-fence in {path}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
