"""What the world offers to the platform: stand-ins of a payment provider and of a mail server."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parent / "world"
PAYMENTS_PORT, SMTP_PORT, MAILS_PORT = 8090, 25, 8025
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
Wants=tandem-lab-payments.service tandem-lab-mail.service
"""


def files(address: str) -> dict[str, tuple[str, int]]:
    """Return the programs and their units by path, each with its text and mode."""
    payments = f"{address}:{PAYMENTS_PORT} {STATE}/payments.sqlite"
    mail = f"{address}:{SMTP_PORT} {address}:{MAILS_PORT} {STATE}/mail.sqlite"
    return {
        "opt/tandem-lab/payments.py": ((PROGRAMS / "payments.py").read_text(), 0o644),
        "opt/tandem-lab/mail.py": ((PROGRAMS / "mail.py").read_text(), 0o644),
        "etc/systemd/system/tandem-lab-payments.service": (
            UNIT.format(description="A payment provider", program="payments.py", arguments=payments),
            0o644,
        ),
        "etc/systemd/system/tandem-lab-mail.service": (
            UNIT.format(description="A mail server", program="mail.py", arguments=mail),
            0o644,
        ),
        "etc/systemd/system/multi-user.target.d/tandem-lab.conf": (WANTED, 0o644),
    }
