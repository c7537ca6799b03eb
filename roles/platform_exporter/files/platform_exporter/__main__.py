"""``python3 -m platform_exporter CONFIGURATION``: serve; with ``--check`` only try the configuration."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry

from .collecting import Page, start
from .collectors import NEEDS, collectors
from .config import Config, InvalidConfiguration, read
from .journal import say
from .serving import Server, context

EXIT_INVALID = 2


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 2 when the configuration is invalid."""
    parser = argparse.ArgumentParser(prog="platform_exporter", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only try the configuration")
    parser.add_argument("configuration", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        config = read(chosen.configuration, NEEDS)
    except InvalidConfiguration as error:
        sys.stderr.write(f"platform_exporter: {error}\n")
        return EXIT_INVALID
    if not chosen.check:
        serve(config)
    return 0


def serve(config: Config) -> None:
    """Serve until SIGTERM; SIGHUP takes a new certificate."""
    tls = context(config.certificate, config.key, config.authority)
    registry = CollectorRegistry(auto_describe=False)
    found = collectors(config.collectors)
    registry.register(Page(found))
    stop = threading.Event()
    server = Server((config.address, config.port), tls, config.scrapers, registry)
    signal.signal(signal.SIGHUP, lambda *_: tls.load_cert_chain(config.certificate, config.key))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    start(found, stop)
    say("info", "started", f"{len(found)} collectors work: {', '.join(item.name for item in found)}")
    server.serve_forever(poll_interval=5)


if __name__ == "__main__":
    sys.exit(main())
