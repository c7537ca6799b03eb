"""Go and Rust: this machine's own when they are new enough, otherwise what its configuration offers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from packages import debian, places
from packages.console import run, say
from packages.errors import PackagesError

GO = (1, 26, 5)
"""The oldest that Loki's module takes, and the one that is fetched where there is none."""
RUST = (1, 95, 0)
"""The one with which Garage was built; older ones were not tried."""

GO_SYSTEMS = {"amd64": "linux-amd64", "arm64": "linux-arm64"}


def go(architecture: str) -> Path:
    """Return a Go compiler that is new enough.

    Where there is none, Debian's (of any age) fetches the right one as a module, from where GOPROXY says, checked
    against GOSUMDB like every module.
    """
    own = shutil.which("go")
    if own and (version_of("go", "version") or (0,)) >= GO:
        return Path(own)
    if not own:
        debian.ensure(["golang-go", "ca-certificates"])
    say(f"fetching Go {_text(GO)} as a module (about 70 MB)")
    module = f"golang.org/toolchain@v0.0.1-go{_text(GO)}.{GO_SYSTEMS[architecture]}"
    places.work().mkdir(parents=True, exist_ok=True)
    answer = run(
        "go", "mod", "download", "-json", module, folder=places.work(), env=os.environ | {"GO111MODULE": "on"}
    )
    return _executable(Path(json.loads(answer)["Dir"]))


def rust() -> Path:
    """Return a cargo whose compiler is new enough. Raises PackagesError when only an older one is to be had."""
    if not shutil.which("cargo"):
        debian.ensure(["cargo", "rustc"])
    found = version_of("rustc", "--version")
    if found is None or found < RUST:
        raise PackagesError(
            f"Rust {_text(found) if found else 'of an unknown version'} is too old for Garage",
            f"install Rust {_text(RUST)} or newer, so that cargo and rustc are on PATH",
        )
    return Path(shutil.which("cargo") or "cargo")


def version_of(program: str, option: str) -> tuple[int, ...] | None:
    """Return the version that a program tells, or None when it tells none."""
    # Elsewhere than in a module: there Go would want to become the version that go.mod names.
    done = subprocess.run(
        [program, option],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=os.environ | {"GOTOOLCHAIN": "local"},
    )
    return parse(done.stdout)


def parse(text: str) -> tuple[int, ...] | None:
    """Return the first version in a text: `go version go1.26.8 linux/amd64` has (1, 26, 8)."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def _executable(folder: Path) -> Path:
    """Let the programs of a fetched Go run: modules are unpacked without the right to, as Go itself knows."""
    for file in (*folder.glob("bin/*"), *folder.glob("pkg/tool/*/*")):
        if file.is_file() and not os.access(file, os.X_OK):
            file.chmod(file.stat().st_mode | 0o555)
    return folder / "bin" / "go"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
