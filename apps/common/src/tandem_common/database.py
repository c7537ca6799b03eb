"""The database as an application uses it: transactions that follow the primary, and reads.

Rules (PostgreSQL with one synchronous standby, failed over by pg_auto_failover):

- What fails before COMMIT is sent has not happened; it is tried again for a short while, on whichever node
  leads.
- A COMMIT that gets no answer, or loses its connection, or comes with a warning ("has already committed
  locally, but might not have been replicated") is of unknown outcome: never a success and never a failure.
- What is read may exist on the primary only. An answer that repeats an earlier success is therefore given
  only after `make_durable`, whose own COMMIT waits for the standby.
"""

import secrets
import time
from collections.abc import Callable
from typing import TypeVar, cast

import psycopg2
import structlog
from prometheus_client import CollectorRegistry, Counter
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from tandem_common import deadlines
from tandem_common.limits import Limiter
from tandem_common.nodes import Nodes
from tandem_common.pool_metrics import PoolMetrics
from tandem_common.problems import OutcomeUnknown, Unavailable
from tandem_common.settings import DatabaseSettings

log = structlog.get_logger(__name__)
_random = secrets.SystemRandom()
_AFTER = "after_commit"
T = TypeVar("T")
Work = Callable[[Session], T]

PRIMARY, NEAR = "primary", "near"
"""Names of the pools in metrics."""
POOL_WAIT_SECONDS = 1.0
ATTEMPT_SECONDS = 1.5
"""How long a read waits for one node before it asks another (a fresh read: any node instead of the primary)."""
WARM_SECONDS = 0.5
"""How long the watch may wait for a session on the node that does not lead."""
FAILURE_SECONDS = 5.0
"""For so long after a failure fresh reads don't look for the primary (the watch does, every second)."""
RECYCLE_SECONDS = 300
"""Connections are renewed now and then, so that reads find their way back to the own site."""

# Waits that the server itself should end; the client's deadlines are the second line.
SESSION = {
    "statement_timeout": "2000",
    "lock_timeout": "1500",
    "idle_in_transaction_session_timeout": "10000",
    "client_min_messages": "warning",
    "timezone": "UTC",
}
WRITE_SESSION = {**SESSION, "synchronous_commit": "on"}
READ_SESSION = {**SESSION, "statement_timeout": "1200", "default_transaction_read_only": "on"}

# SQLSTATEs (PostgreSQL, appendix A) after which the session is on the wrong node or about to end.
LOST_CODES = {"25006", "57P01", "57P02", "57P03", "57P05"}
# Failures of the moment: serialization, deadlock, lock not available, no room for one more connection.
PASSING_CODES = {"40001", "40P01", "55P03", "53300", "53400", "55000"}


def code_of(error: BaseException) -> str | None:
    """SQLSTATE of a database error; None when the server did not send one."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code: str | None = getattr(original, "pgcode", None)
    return code


def make_durable(session: Session) -> None:
    """Make this transaction's COMMIT wait for the standby although it changes nothing.

    WAL is replicated in order, so once that COMMIT is acknowledged, everything read here is on the standby
    too.
    """
    session.execute(select(func.pg_logical_emit_message(True, "tandem", "durable")))


def after_commit(session: Session, work: Callable[[], None]) -> None:
    """Have `work` done once this transaction has certainly been committed; never when its outcome is unknown."""
    session.info.setdefault(_AFTER, []).append(work)


class Database:
    """Engines for the primary and for the nearest node, of one process."""

    def __init__(self, settings: DatabaseSettings, registry: CollectorRegistry | None = None) -> None:
        deadlines.install()
        registry = registry or CollectorRegistry()
        self.closed = False
        self._settings = settings
        near = max(1, settings.database_pool // 2)
        leading = settings.database_pool - near
        secret = settings.database_password
        password = secret.get_secret_value() if secret else None
        self._leading = Nodes(settings.database_dsn, password, WRITE_SESSION)
        self._primary = _engine(self._leading, leading)
        read_dsn = settings.database_read_dsn or _any_node(settings.database_dsn)
        self._near = _engine(Nodes(read_dsn, password, READ_SESSION, own_site_first=True), near)
        # One connection to the primary stays free for reads while commits hang, and some threads for other
        # work while the database is silent.
        self._writers = Limiter(max(1, leading - 1))
        self._readers = Limiter(near + 1)
        self._primary_failed_at: float | None = None
        self._outcomes = Counter(
            "database_transactions",
            "Units of work by outcome",
            ["outcome"],
            registry=registry,
        )
        self._pools = PoolMetrics(registry)
        self._pools.watch(self._primary, PRIMARY)
        self._pools.watch(self._near, NEAR)

    def transaction(self, work: Work[T], *, wait: float | None = None) -> T:
        """Run `work` in one transaction on the primary and commit it.

        `work` may run several times and must therefore touch nothing but its session. Raises Unavailable
        when it certainly was not committed (no primary within `wait` seconds, default write_wait_seconds),
        OutcomeUnknown when nobody can say, and whatever `work` itself raises (rolled back).
        """
        end = time.monotonic() + (wait or self._settings.write_wait_seconds)
        with self._writers.permit("writes"):
            try:
                return self._retry(lambda: self._once(work, end), end)
            except OutcomeUnknown:
                self._outcomes.labels("unknown").inc()
                raise
            except Unavailable:
                self._outcomes.labels("unavailable").inc()
                raise

    def read(self, work: Work[T], *, fresh: bool = False) -> T:
        """Run a read-only `work` on the nearest node, or, if `fresh`, on the primary while there is one.

        Without a primary a fresh read is answered by any node, perhaps slightly old. Raises Unavailable.
        """
        with self._readers.permit("reads"):
            return self._read(work, fresh, time.monotonic() + self._settings.read_wait_seconds)

    def _read(self, work: Work[T], fresh: bool, end: float) -> T:
        if fresh and not self._primary_failed_lately():
            try:
                return self._read_once(self._primary, work, _soon(end))
            except PoolTimeout as error:
                # An answer from a standby would be quicker, but perhaps too old without any need.
                raise Unavailable("Too many requests at the moment.", name="busy", title="Busy") from error
            except DBAPIError as error:
                _raise_if_lasting(error)
                self._primary_failed_at = time.monotonic()
        return self._retry(lambda: self._read_once(self._near, work, _soon(end)), end)

    def _primary_failed_lately(self) -> bool:
        failed = self._primary_failed_at
        return failed is not None and time.monotonic() - failed < FAILURE_SECONDS

    def writable(self, seconds: float = 1.5) -> bool:
        """True if a node that takes writes answers in time; while there is one, a session waits on the other."""
        answered = self._answers(self._primary, seconds, writes=True)
        if answered:
            self._leading.warm(WARM_SECONDS)
        self._primary_failed_at = None if answered else time.monotonic()
        return answered

    def readable(self, seconds: float = 1.5) -> bool:
        """True if any node answers in time."""
        return self._answers(self._near, seconds, writes=False)

    def close(self) -> None:
        """Close all idle connections; the watch ends too."""
        self.closed = True
        self._primary.dispose()
        self._near.dispose()
        self._leading.close()

    def _answers(self, engine: Engine, seconds: float, *, writes: bool) -> bool:
        question = select(func.current_setting("transaction_read_only"))
        end = time.monotonic() + seconds
        try:
            read_only = self._read_once(engine, lambda session: session.scalar(question), end) == "on"
        except PoolTimeout:
            return True  # all connections are at work: that says nothing against the server
        except DBAPIError:
            return False
        if writes and read_only:
            engine.dispose()  # these sessions are on a node that no longer leads
        return not (writes and read_only)

    def _retry(self, attempt: Callable[[], T], end: float) -> T:
        pause = 0.0
        while True:
            try:
                return attempt()
            except (DBAPIError, PoolTimeout) as error:
                _raise_if_lasting(error)
                reason = _reason(error)
            if time.monotonic() + pause >= end:
                log.warning("database unavailable", reason=reason)
                raise Unavailable("The database is not available at the moment.")
            time.sleep(pause)
            pause = min(0.5, pause * 2 + _random.uniform(0.02, 0.05))

    def _once(self, work: Work[T], end: float) -> T:
        with (
            deadlines.until(end),
            self._pools.connection(self._primary, PRIMARY) as connection,
            connection.begin() as transaction,
        ):
            after: list[Callable[[], None]] = []
            result = _run(work, connection, after)
            driver = _driver(connection)
            if driver.info.transaction_status != extensions.TRANSACTION_STATUS_INTRANS:
                raise RuntimeError("the unit of work went on after a failed statement")
            driver.notices.clear()
            with deadlines.within(self._settings.commit_wait_seconds):
                _commit(transaction.commit)
            if driver.notices:
                log.error("commit of unknown outcome", reason=" ".join("".join(driver.notices).split()))
                raise OutcomeUnknown
        self._outcomes.labels("committed").inc()
        self._primary_failed_at = None
        for call in after:
            call()
        return result

    def _read_once(self, engine: Engine, work: Work[T], end: float) -> T:
        name = PRIMARY if engine is self._primary else NEAR
        with deadlines.until(end), self._pools.connection(engine, name) as connection:
            # A read needs no transaction around it: one round trip instead of three.
            driver = _driver(connection)
            driver.autocommit = True
            try:
                return _run(work, connection)
            finally:
                if not driver.closed:
                    driver.autocommit = False


def _soon(end: float) -> float:
    return min(end, time.monotonic() + ATTEMPT_SECONDS)


def _run(work: Work[T], connection: Connection, after: list[Callable[[], None]] | None = None) -> T:
    with Session(bind=connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
        session.info[_AFTER] = [] if after is None else after
        result = work(session)
        session.flush()
        return result


def _commit(commit: Callable[[], None]) -> None:
    """Commit; a refusal that the server itself stated (a deferred constraint, say) passes through."""
    try:
        commit()
    except DBAPIError as error:
        if code_of(error) and not error.connection_invalidated:
            raise
        log.error("commit of unknown outcome", reason=_reason(error))
        raise OutcomeUnknown from error


def _driver(connection: Connection) -> extensions.connection:
    return cast(extensions.connection, connection.connection.driver_connection)


def _raise_if_lasting(error: DBAPIError | PoolTimeout) -> None:
    """Raise what another attempt can't cure."""
    if isinstance(error, PoolTimeout) or error.connection_invalidated:
        return
    code = code_of(error)
    if code is None and isinstance(error.orig, psycopg2.OperationalError | psycopg2.InterfaceError):
        return
    if code in PASSING_CODES or code in LOST_CODES or (code or "").startswith("08"):
        return
    if code == "57014":
        raise Unavailable("The database is too slow at the moment.") from error
    raise error


def _reason(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(original).split())


def _any_node(dsn: str) -> str:
    """The same servers, whatever they are."""
    return extensions.make_dsn(dsn, target_session_attrs="any")


def _engine(nodes: Nodes, size: int) -> Engine:
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=nodes.connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        pool_use_lifo=True,
        use_native_hstore=False,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _mark_lost)
    return engine


def owner_engine(settings: DatabaseSettings) -> Engine:
    """An engine without a pool, for migrations: long statements are allowed, long waits for locks are not."""
    deadlines.install()
    secret = settings.database_password
    options = {**WRITE_SESSION, "statement_timeout": "0", "lock_timeout": "5000"}
    nodes = Nodes(settings.database_dsn, secret.get_secret_value() if secret else None, options)
    return create_engine(
        "postgresql+psycopg2://",
        creator=nodes.connect,
        poolclass=NullPool,
        use_native_hstore=False,
        hide_parameters=True,
    )


def _mark_lost(context: ExceptionContext) -> None:
    """A session on a node that no longer leads is as good as lost, and with it all others of its pool."""
    if getattr(context.original_exception, "pgcode", None) in LOST_CODES:
        context.is_disconnect = True
