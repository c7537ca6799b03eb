"""Render all dashboards: `python -m dashboards render DIR`; with `--check` only say whether DIR is up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dashboards.boards import BOARDS
from dashboards.rendering import text


def files() -> dict[str, str]:
    """Names and contents of all dashboards' files."""
    return {f"{board.uid}.json": text(board) for board in BOARDS}


def stale(folder: Path) -> list[str]:
    """Names of files in the folder that are missing, differ, or belong to no dashboard."""
    wanted = files()
    present = {path.name: path.read_text() for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def render(folder: Path) -> None:
    """Bring the folder up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in files():
            path.unlink()
    for name, content in files().items():
        (folder / name).write_text(content)


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description="Render Tandem's dashboards.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("render", help="write one JSON file per dashboard")
    command.add_argument("folder", type=Path, metavar="DIR")
    command.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    arguments = parser.parse_args()
    if not arguments.check:
        render(arguments.folder)
        return 0
    names = stale(arguments.folder)
    if names:
        sys.stderr.write(
            f"out of date: {', '.join(names)}. Next: python -m dashboards render {arguments.folder}\n"
        )
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
