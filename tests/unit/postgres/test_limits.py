"""Settings that a standby must not have lower than its primary are recognised in pg_control."""

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_limits as limits

CONTROLDATA = """\
wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              120
max_worker_processes setting:         8
max_wal_senders setting:              12
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
"""


def test_all_five_are_read() -> None:
    assert limits.in_force(CONTROLDATA) == {
        "max_connections": 120,
        "max_locks_per_transaction": 64,
        "max_prepared_transactions": 0,
        "max_wal_senders": 12,
        "max_worker_processes": 8,
    }


@pytest.mark.parametrize(
    "wanted", [{}, {"max_connections": 120}, {"max_connections": "200", "shared_buffers": "1GB"}]
)
def test_the_same_and_more_may_be(wanted: dict[str, object]) -> None:
    assert limits.lowered(wanted, CONTROLDATA) == []


def test_less_is_named() -> None:
    assert limits.lowered({"max_connections": 90}, CONTROLDATA) == ["max_connections from 120 to 90"]
    assert limits.lowered({"max_locks_per_transaction": 32}, CONTROLDATA)
