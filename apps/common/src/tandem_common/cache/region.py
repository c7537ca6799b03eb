"""Values of one kind in the cache: got from there, or computed once and put there.

A region has a generation, a random word beside its values, and every value carries the one under which it was
computed. `invalidate` sets a new word, so all older values count no more, also those that somebody computed before and
stores only afterwards. A word that was lost (eviction, restart) is replaced by another one: nothing old comes back.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from valkey import Valkey

from tandem_common.cache.flights import Flights
from tandem_common.cache.store import Store, Unusable

T = TypeVar("T")
Compute = Callable[[], T]
Keep = Callable[[T], bool]

LOCK_SECONDS = 3.0
"""How long one process computes for all; then another one may."""
WAIT_SECONDS = 1.0
"""How long the others wait for it before they compute themselves."""
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class _Hit(Generic[T]):
    value: T


@dataclass(frozen=True)
class _Miss:
    generation: bytes


class Region(Generic[T]):
    """Values of type T by key. `name` has a number that changes whenever their shape does."""

    def __init__(
        self,
        store: Store,
        name: str,
        kind: TypeAdapter[T],
        *,
        seconds: float,
        lock_seconds: float = LOCK_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._name = name
        self._kind = kind
        self._milliseconds = round(seconds * 1000)
        self._lock_milliseconds = round(lock_seconds * 1000)
        self._wait_seconds = wait_seconds
        self._prefix = f"{store.prefix}{name}:"
        self._generation = f"{self._prefix}generation"
        self._flights = Flights()

    def get(self, key: str, compute: Compute[T], *, keep: Keep[T] = lambda _: True) -> T:
        """The kept value, or what `compute` returns, which is kept for the region's time if `keep` says so.

        However many threads and processes of the site ask at once, one computes. Without Valkey it is one per process.
        Raises what `compute` raises.
        """
        (value, outcome), joined = self._flights.run(key, lambda: self._look_or_fill(key, compute, keep))
        outcome = "shared" if joined and outcome != "hit" else outcome
        self._store.metrics.reads.labels(self._name, outcome).inc()
        return value

    def invalidate(self) -> bool:
        """Forget all values of the site; whether Valkey could be told. If not, they end with their time."""
        return self._store.tell(lambda client: client.set(self._generation, _word()))

    def _look_or_fill(self, key: str, compute: Compute[T], keep: Keep[T]) -> tuple[T, str]:
        """The value, and where it came from."""
        found = self._find(key)
        if found is None:
            return compute(), "bypass"
        if isinstance(found, _Hit):
            return found.value, "hit"
        # A lock of this generation alone: nobody waits for a value that will count no more.
        lock = f"{self._prefix}lock:{found.generation.decode()}:{key}"
        present = self._lock_or_wait(lock, key)
        if present is not None:
            return present.value, "shared"
        return self._fill(found.generation, key, lock, compute, keep), "miss"

    def _lock_or_wait(self, lock: str, key: str) -> _Hit[T] | None:
        """Take the lock (None), or get the value that its holder computes; None also after too long."""
        end = time.monotonic() + self._wait_seconds
        while True:
            taken, present = self._take(lock, key)
            if present is not None:
                if taken:
                    self._put(key, None, lock)
                return present
            if taken or time.monotonic() >= end:
                return None
            time.sleep(POLL_SECONDS)

    def _take(self, lock: str, key: str) -> tuple[bool, _Hit[T] | None]:
        """Whether the lock is ours now (also without Valkey), and what somebody may have stored since."""

        def work(client: Valkey) -> list[Any]:
            with client.pipeline(transaction=False) as pipeline:
                pipeline.set(lock, b"1", nx=True, px=self._lock_milliseconds)
                pipeline.mget(self._generation, self._prefix + key)
                return cast(list[Any], pipeline.execute())

        try:
            taken, (word, content) = self._store.ask(work)
        except Unusable:
            return True, None
        return bool(taken), self._value(word, content)

    def _fill(self, generation: bytes, key: str, lock: str, compute: Compute[T], keep: Keep[T]) -> T:
        content = None
        try:
            value = compute()
            if keep(value):
                content = generation + b":" + self._kind.dump_json(value)
        finally:
            self._put(key, content, lock)
        return value

    def _put(self, key: str, content: bytes | None, lock: str) -> None:
        """Store and let the others go on, in one round trip, if it works."""

        def work(client: Valkey) -> None:
            with client.pipeline(transaction=False) as pipeline:
                if content is not None:
                    pipeline.set(self._prefix + key, content, px=self._milliseconds)
                # Perhaps another process's by now, if this one took too long: then two compute.
                pipeline.delete(lock)
                pipeline.execute()

        try:
            self._store.ask(work)
        except Unusable:
            return

    def _find(self, key: str) -> _Hit[T] | _Miss | None:
        """The value if it belongs to the present generation, or that generation; None without Valkey."""
        try:
            word, content = self._store.ask(lambda client: self._read(client, key))
            if word is None:
                return _Miss(self._begin())
        except Unusable:
            return None
        return self._value(word, content) or _Miss(word)

    def _value(self, word: bytes | None, content: bytes | None) -> _Hit[T] | None:
        """What was stored, if it belongs to this generation."""
        if word is None or content is None or not content.startswith(word + b":"):
            return None
        try:
            return _Hit(self._kind.validate_json(content.removeprefix(word + b":")))
        except ValidationError:
            self._store.unreadable()
            return None

    def _read(self, client: Valkey, key: str) -> list[bytes | None]:
        return cast(list[bytes | None], client.mget(self._generation, self._prefix + key))

    def _begin(self) -> bytes:
        """The first generation; if somebody else began one meanwhile, that one."""
        word = _word()
        present = self._store.ask(lambda client: client.set(self._generation, word, nx=True, get=True))
        return present if isinstance(present, bytes) else word


def _word() -> bytes:
    return secrets.token_hex(8).encode()
