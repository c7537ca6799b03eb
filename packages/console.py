"""Progress lines, and programs that run for minutes without leaving people in the dark."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from packages.errors import PackagesError

HEARTBEAT = 20.0
"""Seconds between two signs of life."""
TAIL = 12


def say(text: str) -> None:
    """Print one line at once."""
    print(f"== {text}", file=sys.stderr, flush=True)


def run(
    *argv: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    folder: Path | None = None,
) -> str:
    """Run a program that takes seconds and return what it prints. Raises PackagesError when it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=stdin, env=env, cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise PackagesError(
            f"the program {words[0]} is missing", f"install it, then try again: {words[0]}"
        ) from None
    if done.returncode:
        said = " | ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise PackagesError(
            f"`{' '.join(words)}` failed with exit code {done.returncode}: {said}", "see its message"
        )
    return done.stdout


def follow(what: str, argv: Sequence[str | Path], log: Path, env: Mapping[str, str], folder: Path) -> None:
    """Run a program that takes minutes; it writes into `log`, and its last line is shown now and then.

    Raises PackagesError with the end of the log when it fails.
    """
    began = told = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(word) for word in argv], stdout=file, stderr=subprocess.STDOUT, env=dict(env), cwd=folder
        )
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - told > HEARTBEAT:
                    told = time.monotonic()
                    say(f"{what}: {told - began:.0f} s, {_where(log)}")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        end = "\n    ".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        raise PackagesError(
            f"{what} failed with exit code {process.returncode}:\n    {end}",
            f"the whole log is {log}; remove the cause and run `make packages` again",
        )
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def _where(log: Path) -> str:
    """Return how many lines the log has, and its last one, shortened."""
    lines = log.read_text(errors="replace").splitlines()
    return f"step {len(lines)}: {lines[-1].strip()[:70]}" if lines else "nothing printed yet"
