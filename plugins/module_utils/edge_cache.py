# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Find and remove kept answers in NGINX's cache folder, by path. Knows nothing of Ansible.

A file of the cache begins with a fixed header of numbers, then says by which key it is kept: `\\nKEY: <key>\\n`. The
role's key is the host's name and the request's path and query, as in `shop.example.org/products/?page=2`. NGINX takes a
file that is gone for an answer that it does not have.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

NAME = re.compile(r"[0-9a-f]{32}")
KEY = re.compile(rb"\nKEY: ([^\n]*)\n")
# The header has some 350 bytes; a key is not longer than a request's line may be.
READ_BYTES = 64 * 1024


def find(folder: Path, paths: Iterable[str]) -> dict[Path, str]:
    """Return the files of answers to paths, with their keys.

    `/products/` means all below it, `/cart` itself and all below it; the query and the host's name do not matter.
    """
    wanted = list(paths)
    return {file: key for file, key in _kept(folder) if any(_means(path, key) for path in wanted)}


def _kept(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in folder.rglob("*"):
        if not NAME.fullmatch(file.name):
            continue
        try:
            with file.open("rb") as stream:
                found = KEY.search(stream.read(READ_BYTES))
        except (FileNotFoundError, IsADirectoryError):
            continue  # NGINX removes and replaces files at any time
        if found:
            yield file, found[1].decode(errors="replace")


def _means(path: str, key: str) -> bool:
    asked = _plain("/" + key.partition("/")[2].partition("?")[0])
    if path.endswith("/"):
        return asked.startswith(path)
    return f"{asked}/".startswith(f"{path}/")


def _plain(path: str) -> str:
    """Return a path as NGINX compares it: decoded, without dots and double slashes."""
    decoded = unquote(path)
    plain = posixpath.normpath("/" + decoded.lstrip("/"))
    return f"{plain}/" if decoded.endswith("/") and plain != "/" else plain


def remove(files: Iterable[Path]) -> None:
    """Remove files of the cache; one that NGINX was faster with is no error."""
    for file in files:
        file.unlink(missing_ok=True)
