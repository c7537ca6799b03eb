"""The limiter."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_waits_for_nobody_in_trouble():
    limiter = Limiter(1, wait_seconds=5)
    with pytest.raises(Unavailable), limiter.permit("things"):
        raise Unavailable("a silent database")
    with limiter.permit("things"):
        clock = Stopwatch()
        with pytest.raises(Unavailable), limiter.permit("things"):
            pass
        assert clock.seconds < 0.5
    assert not limiter._trouble, "it ended well"


def test_wrong_input_is_no_trouble():
    limiter = Limiter(1)
    with pytest.raises(KeyError), limiter.permit("things"):
        raise KeyError
    assert not limiter._trouble


def test_few_places_to_wait():
    """Of nine threads one is in, two wait, and six are refused at once."""
    limiter = Limiter(1, wait_seconds=1)
    refused = []

    def work(_number):
        clock = Stopwatch()
        try:
            with limiter.permit("things"):
                time.sleep(0.2)
        except Unavailable:
            refused.append(clock.seconds)

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(work, range(9)))
    assert len(refused) == 6
    assert max(refused) < 0.5


def test_waits_for_nobody_who_is_stuck():
    limiter = Limiter(1, wait_seconds=5, stuck_seconds=0.05)
    with limiter.permit("things"):
        time.sleep(0.1)
        clock = Stopwatch()
        with pytest.raises(Unavailable), limiter.permit("things"):
            pass
        assert clock.seconds < 0.5
