"""Workers of the shop as processes of their own, as the platform runs them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

APPS = Path(__file__).parents[2]
SOURCES = ("common", "users", "products", "orders", "order_processing", "notifications")


@dataclass
class Workers:
    """Commands of services, by name; all are gone after the `with`."""

    folder: Path
    """For their logs."""
    _settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, settings: Mapping[str, Any] | None = None) -> None:
        """Start `PACKAGE COMMAND`, with these settings or those of the last time."""
        package, command = name.split()
        if settings is not None:
            self._settings[name] = dict(settings)
        given = {key.upper(): _text(value) for key, value in self._settings[name].items()}
        code = f"import sys; from {package}.commands import main; sys.exit(main())"
        with (self.folder / f"{package}-{command}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-c", code, command],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(str(APPS / one / "src") for one in SOURCES),
                    **given,
                },
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        """End it as a power failure would."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name: str, seconds: float = 15) -> int:
        """End it as the platform does; its exit status."""
        process = self._running.pop(name)
        process.terminate()
        return process.wait(seconds)

    def logs(self) -> str:
        """What they wrote, for a test that fails."""
        return "\n".join(f"{path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.kill(name)
        if error is not None:
            print(self.logs())


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
