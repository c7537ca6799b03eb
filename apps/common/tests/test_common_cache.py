"""Copies in Valkey: one computation for all, and no harm when Valkey fails."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter, ValidationError
from support.cache import CacheServer
from tandem_common.cache import Region, Store
from tandem_common.cache.breaker import FAILURES
from tandem_common.settings import CacheSettings

NUMBERS = TypeAdapter(list[int])
# Where who waits and who computes may get no processor for a while.
SLOW_MACHINE = {"lock_seconds": 60.0, "wait_seconds": 60.0}


class Computation:
    """Counts how often it ran; gives what it is told to."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.runs = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self) -> list[int]:
        with self._lock:
            self.runs += 1
            number = self.runs
        time.sleep(self._seconds)
        return [number]


class Process:
    """What one process of a service has."""

    def __init__(self, settings: dict[str, Any], *, seconds: float = 60, **more: float) -> None:
        self.registry = CollectorRegistry()
        self.store = Store(CacheSettings(**settings), self.registry)
        self.region = Region(self.store, "numbers:1", NUMBERS, seconds=seconds, **more)

    def reads(self, outcome: str) -> float:
        labels = {"region": "numbers:1", "outcome": outcome}
        return self.registry.get_sample_value("cache_reads_total", labels) or 0

    def failures(self, reason: str) -> float:
        return self.registry.get_sample_value("cache_failures_total", {"reason": reason}) or 0

    def wait_until_usable(self) -> None:
        deadline = time.monotonic() + 20
        while not self.store.usable:
            assert time.monotonic() < deadline, "the cache stays unused"
            time.sleep(0.02)


@pytest.fixture
def make(cache_server: CacheServer) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def one(*, patience: dict[str, int] | None = None, **more: Any) -> Process:
        made.append(Process(cache_server.settings() | (patience or {}), **more))
        return made[-1]

    yield one
    for process in made:
        process.store.close()


def test_a_value_is_computed_once_for_all_processes_of_the_site(make: Callable[..., Process]) -> None:
    first, second, compute = make(), make(), Computation()
    assert [process.region.get("a", compute) for process in (first, first, second)] == [[1]] * 3
    assert (first.reads("miss"), first.reads("hit"), second.reads("hit")) == (1, 1, 1)
    assert first.region.get("b", compute) == [2]


def test_a_value_ends_with_its_time(make: Callable[..., Process]) -> None:
    process, compute = make(seconds=0.1), Computation()
    process.region.get("a", compute)
    time.sleep(0.15)
    assert process.region.get("a", compute) == [2]


def test_what_is_not_to_be_kept_is_not(make: Callable[..., Process]) -> None:
    process, compute = make(), Computation()
    assert process.region.get("a", compute, keep=lambda _: False) == [1]
    assert process.region.get("a", compute, keep=lambda _: False) == [2]


def test_an_invalidation_reaches_all_processes(make: Callable[..., Process]) -> None:
    first, second, compute = make(), make(), Computation()
    first.region.get("a", compute)
    assert second.region.invalidate()
    assert first.region.get("a", compute) == [2]
    assert second.region.get("a", compute) == [2]


def test_what_was_computed_before_an_invalidation_does_not_come_back(make: Callable[..., Process]) -> None:
    slow, other = make(), make()

    def outdated() -> list[int]:
        assert other.region.invalidate()  # the change happens after this was read, and before it is stored
        return [0]

    compute = Computation()
    assert slow.region.get("a", outdated) == [0]
    assert other.region.get("a", compute) == [1]
    assert slow.region.get("a", compute) == [1]


def test_a_lost_generation_brings_nothing_old_back(
    cache_server: CacheServer, make: Callable[..., Process]
) -> None:
    process, compute = make(), Computation()
    process.region.get("a", compute)
    with cache_server.client() as client:
        assert client.delete("trial:numbers:1:generation") == 1
    assert process.region.get("a", compute) == [2]


@pytest.mark.parametrize("processes", [1, 4])
def test_a_stampede_computes_once(make: Callable[..., Process], processes: int) -> None:
    made, compute = [make(**SLOW_MACHINE) for _ in range(processes)], Computation(seconds=0.3)
    barrier = threading.Barrier(24)

    def read(number: int) -> list[int]:
        barrier.wait()
        return made[number % processes].region.get("a", compute)

    with ThreadPoolExecutor(24) as pool:
        results = list(pool.map(read, range(24)))
    assert results == [[1]] * 24
    assert compute.runs == 1
    assert sum(process.reads("miss") for process in made) == 1
    assert sum(process.reads(kind) for process in made for kind in ("miss", "shared", "hit")) == 24


def _read_in_a_process(settings: dict[str, Any], log: str, together: Barrier) -> None:
    process = Process(settings, **SLOW_MACHINE)
    process.region.get("warm", lambda: [0])

    def compute() -> list[int]:
        with Path(log).open("a") as file:
            file.write("computed\n")
        time.sleep(0.3)
        return [7]

    together.wait(60)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: process.region.get("a", compute), range(4)))
    assert results == [[7]] * 4


def test_a_stampede_of_real_processes_computes_once(cache_server: CacheServer, tmp_path: Path) -> None:
    log, context = tmp_path / "log", multiprocessing.get_context("spawn")
    arguments = (cache_server.settings(), str(log), context.Barrier(2))
    running = [context.Process(target=_read_in_a_process, args=arguments) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0, 0]
    assert log.read_text().splitlines() == ["computed"]


def test_a_failed_computation_is_told_and_blocks_nobody(make: Callable[..., Process]) -> None:
    first, second, compute = make(), make(), Computation()

    def fail() -> list[int]:
        raise LookupError("no database")

    with pytest.raises(LookupError, match="no database"):
        first.region.get("a", fail)
    started = time.monotonic()
    assert second.region.get("a", compute) == [1]
    assert time.monotonic() - started < 0.5


def test_a_holder_that_died_blocks_nobody_for_long(
    cache_server: CacheServer, make: Callable[..., Process]
) -> None:
    process, compute = make(), Computation()
    process.region.get("other", compute)
    with cache_server.client() as client:
        word = client.get("trial:numbers:1:generation")
        assert isinstance(word, bytes)
        client.set(f"trial:numbers:1:lock:{word.decode()}:a", "1")
    started = time.monotonic()
    assert process.region.get("a", compute) == [2]
    assert 0.9 < time.monotonic() - started < 2.5


@pytest.mark.parametrize("content", [b"", b"[1", b'["x"]', b"{}", b"null", b"\xff\x00", b"[1]x"])
def test_values_that_are_no_values_are_computed_anew(
    cache_server: CacheServer, make: Callable[..., Process], content: bytes
) -> None:
    process = make()
    process.region.get("a", lambda: [1])
    with cache_server.client() as client:
        word = client.get("trial:numbers:1:generation")
        assert isinstance(word, bytes)
        client.set("trial:numbers:1:a", word + b":" + content)
    assert process.region.get("a", lambda: [2]) == [2]
    assert process.failures("content") == 2  # seen once more under the lock
    assert process.store.usable


def test_keys_of_another_type_are_counted_and_computed(
    cache_server: CacheServer, make: Callable[..., Process]
) -> None:
    process, compute = make(), Computation()
    with cache_server.client() as client:
        client.rpush("trial:numbers:1:generation", "x")
    assert process.region.get("a", compute) == [1]
    assert process.region.get("a", compute) == [2]


# --- Valkey fails ----------------------------------------------------------------------------------------------------


def test_without_valkey_everything_is_computed() -> None:
    process, compute = Process({}), Computation()
    assert [process.region.get("a", compute) for _ in range(2)] == [[1], [2]]
    assert process.reads("bypass") == 2
    assert not process.region.invalidate()


def test_a_dead_valkey_costs_nothing_after_the_first_failures_and_comes_back(
    cache_server: CacheServer, make: Callable[..., Process]
) -> None:
    process, compute = make(), Computation()
    process.region.get("a", compute)
    cache_server.stop()
    try:
        for number in range(FAILURES):
            assert process.region.get("a", compute) == [2 + number]
        assert not process.store.usable
        assert process.registry.get_sample_value("cache_usable") == 0
        counted = process.failures("connection")
        started = time.monotonic()
        for _ in range(200):
            process.region.get("a", compute)
        assert time.monotonic() - started < 0.2
        assert process.failures("connection") == counted
    finally:
        cache_server.start()
    process.wait_until_usable()
    assert process.registry.get_sample_value("cache_usable") == 1
    before = process.reads("hit")
    process.region.get("a", compute)
    process.region.get("a", compute)
    assert process.reads("hit") == before + 1


def test_a_hanging_valkey_is_left_alone_after_some_milliseconds(
    cache_server: CacheServer, make: Callable[..., Process]
) -> None:
    process, compute = make(patience={"valkey_answer_ms": 50, "valkey_connect_ms": 200}), Computation()
    process.region.get("a", compute)
    with cache_server.hanging():
        started = time.monotonic()
        for _ in range(50):
            process.region.get("a", compute)
        assert time.monotonic() - started < 1.5
        assert process.failures("timeout") >= 1
        assert not process.store.usable
        assert not process.region.invalidate()
    process.wait_until_usable()
    assert process.region.get("b", compute)
    before = compute.runs
    process.region.get("b", compute)
    assert compute.runs == before


def test_a_wrong_password_is_as_good_as_no_valkey(cache_server: CacheServer) -> None:
    process, compute = Process(cache_server.settings() | {"valkey_password": "wrong"}), Computation()
    for number in range(5):
        assert process.region.get("a", compute) == [number + 1]
    assert process.failures("answer") == FAILURES
    process.store.close()


def test_a_certificate_of_somebody_else_is_not_trusted(cache_server: CacheServer) -> None:
    with CacheServer.started() as other:
        settings = cache_server.settings() | {"valkey_port": other.port}
        process = Process(settings)
        assert process.region.get("a", lambda: [1]) == [1]
        assert process.reads("bypass") == 1
        with other.client() as client:
            assert client.dbsize() == 0


def test_all_waiters_hear_of_a_failure_without_valkey() -> None:
    process, barrier = Process({}), threading.Barrier(6)
    runs = Computation(seconds=0.3)

    def fail() -> list[int]:
        runs()
        raise LookupError("no database")

    def read(_: int) -> str:
        barrier.wait()
        try:
            process.region.get("a", fail)
        except LookupError as error:
            return str(error)
        return "no error"

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(read, range(6))) == {"no database"}
    assert runs.runs == 1


def test_a_host_needs_the_rest() -> None:
    with pytest.raises(ValidationError, match="valkey_user, valkey_password, valkey_ca"):
        CacheSettings(valkey_host="x")
