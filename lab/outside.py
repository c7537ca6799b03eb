"""What the world offers to the platform: stand-ins of a payment provider, a mail server and a receiver of alerts."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parent / "world"
PAYMENTS_PORT, HOOKS_PORT, SMTP_PORT, MAILS_PORT = 8090, 8091, 25, 8025
STATE = "/var/lib/tandem-lab"

UNIT = """[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/bin/python3 -u /opt/tandem-lab/{program} {arguments}
StateDirectory=tandem-lab
Restart=always
RestartSec=1
"""
# Wanted by a drop-in: a seed holds plain files, no links.
WANTED = """[Unit]
Wants=tandem-lab-payments.service tandem-lab-mail.service tandem-lab-hooks.service
"""


def files(address: str) -> dict[str, tuple[str, int]]:
    """Return the programs and their units by path, each with its text and mode."""
    programs = {
        "payments": ("A payment provider", f"{address}:{PAYMENTS_PORT} {STATE}/payments.sqlite"),
        "mail": ("A mail server", f"{address}:{SMTP_PORT} {address}:{MAILS_PORT} {STATE}/mail.sqlite"),
        "hooks": ("A receiver of webhooks", f"{address}:{HOOKS_PORT}"),
    }
    placed = {"etc/systemd/system/multi-user.target.d/tandem-lab.conf": (WANTED, 0o644)}
    for name, (description, arguments) in programs.items():
        program = f"{name}.py"
        unit = UNIT.format(description=description, program=program, arguments=arguments)
        placed[f"opt/tandem-lab/{program}"] = ((PROGRAMS / program).read_text(), 0o644)
        placed[f"etc/systemd/system/tandem-lab-{name}.service"] = (unit, 0o644)
    return placed
