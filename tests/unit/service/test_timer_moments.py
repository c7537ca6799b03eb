"""All hosts give a run the same name."""

import pytest
from timer_runner import moments
from timer_runner.moments import CalendarError, latest, shown, systemd_calendar

NOON = 1_800_000_000


def every(step, offset=0, until=None):
    """A calendar with a moment each `step` seconds; counts how often it is asked."""

    def next_after(seconds):
        next_after.asked += 1
        found = (seconds - offset) // step * step + step + offset
        return found if until is None or found <= until else None

    next_after.asked = 0
    return next_after


@pytest.mark.parametrize("step", [1, 2, 10, 60, 1800, 86400, 366 * 86400])
def test_newest_moment_that_is_not_in_the_future(step):
    for now in (NOON, NOON + 1, NOON + step // 2, NOON + step - 1):
        assert latest(now, every(step)) == now // step * step


def test_a_moment_is_not_over_in_its_own_second():
    assert latest(NOON, every(60, offset=NOON % 60)) == NOON


def test_hosts_whose_clocks_differ_find_the_same_moment():
    calendar = every(3600, offset=NOON % 3600)
    assert {latest(NOON + late, calendar) for late in (0, 1, 7, 600, 3599)} == {NOON}


def test_dense_part_of_a_calendar_far_back():
    def next_after(seconds):  # every second, until an hour ago
        return seconds + 1 if seconds + 1 <= NOON - 3600 else None

    assert latest(NOON, next_after) == NOON - 3600


def test_timer_that_just_fired_asks_little():
    calendar = every(86400, offset=NOON % 86400)
    assert latest(NOON, calendar) == NOON
    assert calendar.asked < 6


def test_schedule_that_never_came_has_no_moment():
    assert latest(NOON, lambda seconds: NOON + 10) is None
    assert latest(NOON, lambda seconds: None) is None


def test_moments_are_shown_in_utc():
    assert shown(0) == "1970-01-01T00:00:00Z"


@pytest.fixture
def analyze(tmp_path, monkeypatch):
    """Put a program in the place of systemd's that prints what systemd 257 prints, and notes how it was called."""

    def write(output, status=0):
        program = tmp_path / "systemd-analyze"
        program.write_text(
            f'#!/bin/sh\necho "TZ=$TZ $@" > {tmp_path}/called\ncat <<"END"\n{output}\nEND\nexit {status}\n'
        )
        program.chmod(0o755)
        monkeypatch.setattr(moments, "ANALYZE", str(program))
        return tmp_path / "called"

    return write


def test_systemd_is_asked_in_utc(analyze):
    called = analyze(
        "Normalized form: *-*-* 09:00:00 Europe/Moscow\n    Next elapse: Wed 2023-11-15 06:00:00 UTC\n"
        "       From now: 3 years 0 months ago"
    )
    assert shown(systemd_calendar("09:00 Europe/Moscow")(1_700_000_000)) == "2023-11-15T06:00:00Z"
    assert called.read_text() == "TZ=UTC calendar --base-time=@1700000000 -- 09:00 Europe/Moscow\n"


def test_schedule_that_does_not_come_again(analyze):
    analyze("Normalized form: 2020-01-01 00:00:00 UTC\n    Next elapse: never")
    assert systemd_calendar("2020-01-01 UTC")(1_700_000_000) is None


def test_schedule_that_systemd_does_not_take(analyze):
    analyze("", status=1)
    with pytest.raises(CalendarError, match="does not take the schedule 'soon'"):
        systemd_calendar("soon")(0)
