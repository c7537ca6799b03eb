"""The configuration from the environment."""

from __future__ import annotations

import pytest
from stall_guard.__main__ import main
from stall_guard.config import InvalidConfiguration, from_environment, monitor_from_environment

GOOD = {
    "STALL_GUARD_MONITOR_DSN": "dbname=pg_auto_failover port=5431 user=postgres",
    "STALL_GUARD_NODE_DSN": "user=guard dbname=postgres sslmode=verify-full",
    "PATH": "/usr/bin",
}


def test_defaults():
    config = from_environment(GOOD)
    limits = config.limits
    assert (config.formation, config.tick) == ("default", 1.0)
    assert (limits.stall, limits.resume, limits.max_lag, limits.fresh, limits.hung) == (4, 3, 1048576, 3, 10)


def test_given_values():
    config = from_environment(
        GOOD
        | {
            "STALL_GUARD_FORMATION": "shop",
            "STALL_GUARD_TICK_SECONDS": "0.5",
            "STALL_GUARD_STALL_SECONDS": "6",
            "STALL_GUARD_MAX_LAG_BYTES": "4096",
            "STALL_GUARD_HUNG_SECONDS": "0",
        }
    )
    assert (config.formation, config.tick) == ("shop", 0.5)
    assert (config.limits.stall, config.limits.max_lag, config.limits.hung) == (6, 4096, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"STALL_GUARD_MONITOR_DSN": ""}, "STALL_GUARD_MONITOR_DSN is not set"),
        ({"STALL_GUARD_NODE_DSN": "user=guard what"}, "not a libpq connection string"),
        ({"STALL_GUARD_NODE_DSN": "host=10.0.0.1"}, "must not contain host"),
        (
            {"STALL_GUARD_STALL_SECONDS": "soon"},
            "STALL_GUARD_STALL_SECONDS is 'soon', expected a number from 1",
        ),
        ({"STALL_GUARD_STALL_SECONDS": "nan"}, "expected a number"),
        ({"STALL_GUARD_STALL_SECONDS": "0"}, "expected a number from 1 to 3600"),
        ({"STALL_GUARD_HUNG_SECONDS": "2"}, "or 0 for off"),
        ({"STALL_GUARD_FRESH_SECONDS": "-1"}, "STALL_GUARD_FRESH_SECONDS"),
        ({"STALL_GUARD_TICK_SECONDS": "3", "STALL_GUARD_RESUME_SECONDS": "2"}, "must not be longer"),
        ({"STALL_GUARD_STALL_SECOND": "4"}, "is not a setting of the stall guard"),
    ],
)
def test_invalid_values_are_refused(changes, words):
    with pytest.raises(InvalidConfiguration, match=words):
        from_environment(GOOD | changes)


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidConfiguration) as caught:
        from_environment({"STALL_GUARD_FRESH_SECONDS": "x"})
    assert str(caught.value).count(";") == 2


def test_a_question_about_the_state_needs_only_the_monitor():
    dsn = GOOD["STALL_GUARD_MONITOR_DSN"]
    assert monitor_from_environment({"STALL_GUARD_MONITOR_DSN": dsn}) == (dsn, "default")
    with pytest.raises(InvalidConfiguration, match="MONITOR_DSN"):
        monitor_from_environment({})


@pytest.fixture
def nothing_configured(monkeypatch):
    for name in ("STALL_GUARD_MONITOR_DSN", "STALL_GUARD_NODE_DSN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("arguments", [[], ["--status"]])
def test_the_program_refuses_to_start_and_says_why(nothing_configured, arguments, capsys):
    assert main(arguments) == 2
    assert "STALL_GUARD_MONITOR_DSN is not set" in capsys.readouterr().err


def test_the_program_says_that_the_monitor_cannot_be_read(monkeypatch, capsys):
    monkeypatch.setenv("STALL_GUARD_MONITOR_DSN", "host=127.0.0.1 port=1 dbname=none")
    assert main(["--status"]) == 1
    assert "cannot be read" in capsys.readouterr().err
