# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Compare wanted directories, files, links and absences with a host's file system, and make them so.

Used by the module `tandem.platform.files`; knows nothing of Ansible. Work goes in three steps, so that a
problem is found before anything is written: plan every entry, validate every changed file, apply.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_SHOWN_BYTES = 200_000


class PlacingError(Exception):
    """Something is in the way of an entry; the message names the path and the cure."""


@dataclass(frozen=True)
class Change:
    """A difference between what is wanted and what is there, and how to remove it.

    `content` and `validate` are set for files whose content changes.
    """

    path: str
    apply: Callable[[], None]
    diff: dict[str, str]
    content: bytes | None = None
    validate: str = ""
    secret: bool = False


@dataclass(frozen=True)
class Ownership:
    """Wanted owner, group and mode; an id of None is a name that does not exist yet (check mode)."""

    uid: int | None
    gid: int | None
    mode: int

    def differences(self, found: os.stat_result) -> list[str]:
        """Return one readable phrase per attribute that differs."""
        mode = stat.S_IMODE(found.st_mode)
        phrases = []
        if self.uid != found.st_uid:
            phrases.append(f"owner {found.st_uid} -> {'(to be created)' if self.uid is None else self.uid}")
        if self.gid != found.st_gid:
            phrases.append(f"group {found.st_gid} -> {'(to be created)' if self.gid is None else self.gid}")
        if self.mode != mode:
            phrases.append(f"mode {mode:04o} -> {self.mode:04o}")
        return phrases

    def apply(self, path: str) -> None:
        """Set the attributes of a path, or of what it links to."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.apply_to(descriptor)
        finally:
            os.close(descriptor)

    def apply_to(self, descriptor: int) -> None:
        """Set the attributes of an open file; owner first, because that clears setuid bits."""
        if self.uid is None or self.gid is None:
            raise PlacingError("owner or group does not exist")
        os.fchown(descriptor, self.uid, self.gid)
        os.fchmod(descriptor, self.mode)


class Planner:
    """Plans entries one after another; remembers directories that earlier entries will create."""

    def __init__(self, check_mode: bool) -> None:
        self.check_mode = check_mode
        self._coming: set[str] = set()

    def plan(self, section: str, entry: dict[str, Any]) -> Change | None:
        """Return what has to change for one entry, or None. Raises `PlacingError`."""
        planners: dict[str, Callable[[dict[str, Any]], Change | None]] = {
            "directories": self._directory,
            "files": self._file,
            "links": self._link,
            "absent": self._absent,
        }
        return planners[section](entry)

    def _ownership(self, entry: dict[str, Any]) -> Ownership:
        path = entry["path"]
        return Ownership(
            uid=self._identity("owner", entry["owner"], path, lambda name: pwd.getpwnam(name).pw_uid),
            gid=self._identity("group", entry["group"], path, lambda name: grp.getgrnam(name).gr_gid),
            mode=int(entry["mode"], 8),
        )

    def _identity(self, kind: str, name: str, path: str, find: Callable[[str], int]) -> int | None:
        if name.isdecimal():
            return int(name)
        try:
            return find(name)
        except KeyError:
            if self.check_mode:
                return None
            raise PlacingError(
                f"{path}: {kind} '{name}' does not exist on this host. "
                "Next: install the package or create the account that brings it, in an earlier task."
            ) from None

    def _require_parent(self, path: str) -> None:
        parent = str(Path(path).parent)
        if parent in self._coming or Path(parent).is_dir() or self.check_mode:
            return
        raise PlacingError(
            f"{path}: directory {parent} does not exist. Next: add it to `directories` of the same task."
        )

    def _directory(self, entry: dict[str, Any]) -> Change | None:
        path = entry["path"]
        wanted = self._ownership(entry)
        self._coming.update([path, *(str(parent) for parent in Path(path).parents)])
        if not os.path.lexists(path):
            return Change(path, lambda: _make_directory(path, wanted), _note(path, "directory is created"))
        if not Path(path).is_dir():
            raise PlacingError(f"{path} exists and is not a directory. Next: move it away.")
        differences = wanted.differences(Path(path).stat())
        if not differences:
            return None
        return Change(path, lambda: wanted.apply(path), _note(path, ", ".join(differences)))

    def _file(self, entry: dict[str, Any]) -> Change | None:
        path, content = entry["path"], b64decode(entry["content"])
        wanted = self._ownership(entry)
        self._require_parent(path)
        found = os.lstat(path) if os.path.lexists(path) else None
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise PlacingError(f"{path} is a directory, a file is wanted. Next: move it away.")
        before = Path(path).read_bytes() if found is not None and stat.S_ISREG(found.st_mode) else None
        attributes = wanted.differences(found) if found is not None and before is not None else []
        if before == content:
            if not attributes:
                return None
            return Change(path, lambda: wanted.apply(path), _note(path, ", ".join(attributes)))
        backup = bool(entry["backup"]) and before is not None

        def apply() -> None:
            if backup:
                shutil.copy2(path, f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.bak")
            write_file(path, content, wanted)

        diff = _content_diff(path, before, content, bool(entry["secret"]))
        if attributes:
            diff["prepared"] = diff.get("prepared", "") + f"{path}: {', '.join(attributes)}\n"
        return Change(path, apply, diff, content, entry["validate"], bool(entry["secret"]))

    def _link(self, entry: dict[str, Any]) -> Change | None:
        path, target = entry["path"], entry["target"]
        self._require_parent(path)
        before = None
        if os.path.lexists(path):
            if not Path(path).is_symlink():
                raise PlacingError(f"{path} exists and is not a link. Next: move it away.")
            before = Path(path).readlink()
            if before == Path(target):
                return None
        text = f"link {before or '(none)'} -> {target}"
        return Change(path, lambda: _make_link(path, target), _note(path, text))

    def _absent(self, entry: dict[str, Any]) -> Change | None:
        path = entry["path"]
        if not os.path.lexists(path):
            return None
        return Change(path, lambda: _remove(path), _note(path, "is removed"))


def write_file(path: str, content: bytes, wanted: Ownership) -> None:
    """Replace a file in one step: readers see the old content or the new one, also after a power loss."""
    parent = Path(path).parent
    descriptor, temporary = tempfile.mkstemp(prefix=f".{Path(path).name}.", suffix=".tmp", dir=parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            wanted.apply_to(stream.fileno())
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(parent)


def _make_directory(path: str, wanted: Ownership) -> None:
    # Parents that are missing too are plain 0755 directories, whatever the umask of the session.
    for directory in reversed([Path(path), *Path(path).parents]):
        if not directory.exists():
            directory.mkdir()
            directory.chmod(0o755)
    wanted.apply(path)
    _sync_directory(Path(path).parent)


def _make_link(path: str, target: str) -> None:
    temporary = f"{Path(path).parent}/.{Path(path).name}.{os.getpid()}.tmp"
    Path(temporary).symlink_to(target)
    Path(temporary).replace(path)
    _sync_directory(Path(path).parent)


def _remove(path: str) -> None:
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path)
    else:
        Path(path).unlink()
    _sync_directory(Path(path).parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note(path: str, text: str) -> dict[str, str]:
    return {"prepared": f"{path}: {text}\n"}


def _content_diff(path: str, before: bytes | None, after: bytes, secret: bool) -> dict[str, str]:
    if secret:
        return _note(path, "content changes (secret, not shown)")
    if len(before or b"") + len(after) > LARGEST_SHOWN_BYTES:
        return _note(path, f"content changes ({len(after)} bytes, too large to show)")
    try:
        texts = {"before": (before or b"").decode(), "after": after.decode()}
    except UnicodeDecodeError:
        texts = None
    if texts is None or b"\0" in after:
        return _note(path, f"content changes ({len(after)} bytes, not text)")
    return {"before_header": path if before is not None else "(none)", "after_header": path, **texts}
