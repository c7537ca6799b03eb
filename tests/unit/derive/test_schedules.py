"""Schedules and time spans: what systemd takes (each case was tried with it), and the checker that asks it."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.calendars import (
    controller_calendar,
    systemd_calendar,
)
from ansible_collections.tandem.platform.plugins.plugin_utils.catalog import Service
from ansible_collections.tandem.platform.plugins.plugin_utils.schedules import calendar_problem
from ansible_collections.tandem.platform.plugins.plugin_utils.schema import read

TAKEN = [
    *("daily", "Hourly", "semi-annually", "09:00", "9:00:00", "*-*-* 09:00:00", "*:0/15", "*:*:*"),
    *("Mon", "Monday", "Mon..Fri 9:00", "Mon,Wed..Fri *-*-* 09:00", "Sun *-*-1..7 3:00", "Mon UTC"),
    *("05-03", "*-*-1,15 0:0:0", "*-1..3-1", "*-*-1/2", "*-*-31", "*-02-29", "*-*~1", "*-02~03"),
    *("09:00 Europe/Moscow", "*-*-* 00..23/2:00 UTC", "00:00:00/5"),
]
REFUSED = [
    *("", "9", "*", "UTC", "soon", "24:00", "00:60", "00:00:60", "*:*/15", "1/0:00", "5..1:00"),
    *("Thurs", "fri..mon", "Mon, Tue 10:00", "Mon..Tue..Wed", "09:00 Europe/Moskow", "09:00 10:00"),
    *("*-13-1", "*-0-1", "*-*-32", "*-02-30", "*-*~0", "*/2-*-*", "*-*/2-*", "2020-01-01", "2020-01-01 9:00"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_common_schedules_are_taken(text):
    assert calendar_problem(text) is None


@pytest.mark.parametrize("text", REFUSED)
def test_others_are_refused_with_a_reason(text):
    assert calendar_problem(text)


def timer(**keys):
    return read(Service, {"app": "a==1", "hosts": "app", "command": ["a"], "schedule": "daily"} | keys, "x")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15min", 900),
        ("1h 30min", 5400),
        ("1h30min", 5400),
        ("2 h", 7200),
        ("1d", 86400),
        ("5m", 300),
    ],
)
def test_time_spans(text, seconds):
    service, problems = timer(timeout=text)
    assert (problems, service.timeout) == ([], seconds)


@pytest.mark.parametrize(
    "text", ["", "15", "min", "-5min", "1.5h", "15 minutes", "5min later", "0s", "25h", 900]
)
def test_other_time_spans_are_refused(text):
    ((_, problem),) = timer(timeout=text)[1]
    assert problem.where == "x.timeout"
    assert "15min" in problem.cure or "24h" in problem.cure


@pytest.mark.parametrize("text", ["daily\nOnBootSec=1", "%h", 'Mon "x"', "a" * 201])
def test_nothing_reaches_a_unit_that_is_more_than_a_schedule(text):
    ((_, problem),) = timer(schedule=text)[1]
    assert (problem.where, "as in" in problem.cure) == ("x.schedule", True)


@pytest.fixture
def program(tmp_path):
    """Make a program that answers as systemd-analyze would."""

    def make(script):
        path = tmp_path / "systemd-analyze"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_systemd_is_asked(program, tmp_path):
    asked = tmp_path / "asked"
    calendar = systemd_calendar(program(f'printf "%s|" "$@" > {asked}; echo "    Next elapse: Thu 2026"'))
    assert calendar("-- --help") is None
    assert asked.read_text() == "calendar|--|-- --help|"


def test_systemd_refuses(program):
    refuse = "echo \"Failed to parse calendar specification 'x': Invalid argument\" >&2; exit 1"
    assert "Failed to parse" in systemd_calendar(program(refuse))("x")


def test_a_schedule_that_does_not_come_again(program):
    assert systemd_calendar(program('echo "    Next elapse: never"'))("2020-01-01") == "it never comes again"


def test_without_systemd_the_own_grammar_decides(program, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert controller_calendar() is calendar_problem
    program("exit 1")
    assert controller_calendar() is not calendar_problem
