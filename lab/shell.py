"""Running the machine's own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

Result = subprocess.CompletedProcess[str]


def run(
    *argv: str | Path,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = 60,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a program and return its result with output as text.

    `timeout` is in seconds. Raises LabError when the program fails (and `check` is set), is missing or hangs.
    """
    words = [str(word) for word in argv]
    try:
        result = subprocess.run(words, input=stdin, text=True, capture_output=True, timeout=timeout, env=env)
    except FileNotFoundError:
        raise LabError(
            f"the program {words[0]} is missing", "./lab/lab up names the packages it needs"
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(
            f"`{' '.join(words)}` did not end within {timeout} s", "./lab/lab down, then up"
        ) from None
    if check and result.returncode:
        raise failure(words, result)
    return result


def failure(words: Sequence[str], result: Result) -> LabError:
    """Describe a failed program by its command, exit code and last lines of output."""
    said = (result.stderr.strip() or result.stdout.strip()).splitlines()[-5:]
    problem = f"`{' '.join(words)}` failed with exit code {result.returncode}: " + " | ".join(said)
    return LabError(problem, "./lab/lab status shows what runs; ./lab/lab down and up start anew")
