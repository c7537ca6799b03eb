"""The outside world of the lab (lab/world), in this process: a payment provider and a mail server."""

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

WORLD = Path(__file__).parents[3] / "lab" / "world"


def load(name: str) -> ModuleType:
    """One of its modules: each is a file that runs alone."""
    spec = importlib.util.spec_from_file_location(f"world_{name}", WORLD / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Payments:
    """A running payment provider."""

    url: str
    provider: Any

    def behave(self, mode: str, **more: Any) -> None:
        self.provider.set_mode({"mode": mode, **more})

    def made(self) -> list[dict[str, Any]]:
        payments: list[dict[str, Any]] = self.provider.payments()
        return payments


@contextmanager
def payments(folder: Path) -> Iterator[Payments]:
    """A payment provider that behaves until it is told otherwise."""
    server = load("payments").serve("127.0.0.1", 0, str(folder / "payments.sqlite"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield Payments(f"http://127.0.0.1:{server.server_port}", server.RequestHandlerClass.provider)
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Mailbox:
    """A running mail server."""

    port: int
    store: Any

    def behave(self, mode: str) -> None:
        self.store.mode = mode

    def mails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.store.mails()
        return found


@contextmanager
def mailbox(folder: Path, tls: Any = None) -> Iterator[Mailbox]:
    """A mail server that takes everything."""
    module = load("mail")
    store = module.Store(str(folder / "mail.sqlite"))
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(module.smtp(store, ("127.0.0.1", 0), tls))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield Mailbox(server.sockets[0].getsockname()[1], store)
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
