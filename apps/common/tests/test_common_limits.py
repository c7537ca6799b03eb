"""The limiter."""

import threading
import time

import pytest
from support.things import Stopwatch
from tandem_common.limits import Limiter
from tandem_common.problems import Unavailable


def test_waits_for_a_permit():
    limiter = Limiter(1, wait_seconds=1)
    inside = threading.Event()

    def work():
        with limiter.permit("things"):
            inside.set()
            time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with limiter.permit("things"):
        thread.join()


def test_gives_up():
    limiter = Limiter(1, wait_seconds=0.1)
    with limiter.permit("things"), pytest.raises(Unavailable) as caught, limiter.permit("things"):
        pass
    assert caught.value.status == 503
    with limiter.permit("things"):
        pass


def test_waits_for_nobody_who_is_stuck():
    limiter = Limiter(1, wait_seconds=5, stuck_seconds=0.05)
    with limiter.permit("things"):
        time.sleep(0.1)
        clock = Stopwatch()
        with pytest.raises(Unavailable), limiter.permit("things"):
            pass
        assert clock.seconds < 0.5
