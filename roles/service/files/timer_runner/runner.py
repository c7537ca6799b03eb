# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Settle the newest moment of a timer: run its job here, or wait until another host has.

On every host of the timer's entry the unit starts at the scheduled time. The first to take the lease runs the job;
the others wait, and the next one takes over when the lease runs out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .job import NOT_STARTED, Job
from .keeper import Keeper
from .leases import Answer, Run, Store
from .moments import NextAfter, latest, shown
from .plan import Plan
from .report import Reports, Result

TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h
TIMED_OUT = 124  # as timeout(1)
STOP_SECONDS = 20.0  # for a job to end by itself, after SIGTERM
LOST_SECONDS = 5.0  # the same when the lease is lost
POLL_SECONDS = 5.0
RETRY_SECONDS = 1.0


@dataclass
class Clock:
    """The host's time, and waiting that ends when the unit is stopped; tests put their own in its place."""

    stopped: threading.Event = field(default_factory=threading.Event)
    now: Callable[[], float] = time.time

    def wait(self, seconds: float) -> bool:
        """Wait; True when the unit is being stopped."""
        return self.stopped.wait(seconds)


@dataclass
class Runner:
    """Runs one timer on one host. `store` is None when every host has a run of its own."""

    plan: Plan
    host: str
    next_after: NextAfter
    reports: Reports
    clock: Clock
    store: Store | None = None
    temporary: tuple[type[Exception], ...] = ()
    start: Callable[[list[str], dict[str, str]], Job] = Job
    _said: str = ""

    def settle(self) -> int:
        """Return the exit status: the job's, 0 when there was nothing to do here, 75 without a database in time."""
        status, settled, missed = 0, None, None
        while not self.clock.stopped.is_set():
            moment = latest(int(self.clock.now()), self.next_after)
            if moment is None or moment == settled:
                break
            answer = self._attempt(moment)
            if answer is None:
                overdue = self.clock.now() > moment + self.plan.grace_seconds
                if overdue and missed != moment:
                    missed = moment
                    self._tell(moment, "missed")
                if overdue and not self.plan.catch_up:
                    return TEMPORARY_FAILURE
                self.clock.wait(RETRY_SECONDS)
            elif answer.kind == "wait":
                self._wait_for(answer.run)
            elif answer.kind == "take":
                ended = self._run(moment, answer)
                # A run that was lost is nobody's, until this host or another one takes it over.
                status, settled = (TEMPORARY_FAILURE, None) if ended is None else (ended, moment)
            else:
                self._leave(moment, answer)
                status, settled = 0, moment
        return status

    def _attempt(self, moment: int) -> Answer | None:
        """Ask for the lease; None when the database can't be reached."""
        until = self.plan.start_until(moment)
        if self.store is None:
            return Answer("take" if self.clock.now() <= until else "late")
        try:
            return self.store.take(moment, until)
        except self.temporary as error:
            self._say(f"no lease yet: {' '.join(str(error).split())}")
            return None

    def _wait_for(self, run: Run | None) -> None:
        """Wait a while for another host, which may be done, or die, in the meantime."""
        if run is None:
            self._say("this host's clock is ahead of the database's; waiting")
        else:
            self._say(f"waiting: {run.host} runs {shown(run.moment)}")
        lease = self.plan.lease_seconds or POLL_SECONDS
        self.clock.wait(min(POLL_SECONDS, lease / 4))

    def _leave(self, moment: int, answer: Answer) -> None:
        """Tell how a moment was settled without this host."""
        run = answer.run
        if answer.kind == "late" or run is None:
            self._tell(moment, "missed")
        else:
            self.reports.tell(
                Result(
                    *(self.plan.job, run.moment, run.host, run.outcome or "unknown"),
                    exit_code=run.exit_code,
                    seconds=run.seconds,
                    finished=run.finished,
                )
            )

    # -- a run of our own --------------------------------------------------------------------------

    def _run(self, moment: int, answer: Answer) -> int | None:
        """Run the job, record and tell how it ended; return the exit status, None when the run was lost."""
        moment = int(answer.run.moment) if answer.run else moment
        begun = time.monotonic()
        outcome, code = self._work(moment, answer)
        seconds = time.monotonic() - begun
        if answer.token is not None and not self._record(answer.token, outcome, code):
            outcome = "lost"
        result = Result(
            *(self.plan.job, moment, self.host, outcome, code, seconds, self.clock.now(), answer.token)
        )
        self.reports.tell(result)
        return _exit_status(outcome, code)

    def _work(self, moment: int, answer: Answer) -> tuple[str, int | None]:
        """Run the job to its end; return the outcome and its exit status."""
        environment = {"SCHEDULED_AT": shown(moment)}
        if answer.token is not None:
            environment["LEASE_TOKEN"] = str(answer.token)
        try:
            job = self.start(self.plan.command, environment)
        except OSError as error:
            print(f"timer {self.plan.job}: the command can't be started: {error}", flush=True)
            return "failed", NOT_STARTED
        if self.store is None or answer.token is None:
            return self._watch(job, None)
        with Keeper(self.store, answer.token, answer.asked_at, self.temporary) as keeper:
            return self._watch(job, keeper)

    def _watch(self, job: Job, keeper: Keeper | None) -> tuple[str, int | None]:
        deadline = time.monotonic() + self.plan.timeout_seconds
        while (status := job.wait()) is None:
            if keeper is not None and keeper.left() < LOST_SECONDS:
                return "lost", job.end(LOST_SECONDS)
            patience = STOP_SECONDS if keeper is None else min(STOP_SECONDS, keeper.left())
            if self.clock.stopped.is_set():
                return "stopped", job.end(patience)
            if time.monotonic() > deadline:
                return "timeout", job.end(patience)
        return ("succeeded" if status == 0 else "failed"), status

    def _record(self, token: int, outcome: str, code: int | None) -> bool:
        """Tell the others, however long it takes; False when one of them has taken the run over."""
        if self.store is None or outcome == "lost":
            return False
        while True:
            try:
                if outcome == "stopped":
                    return self.store.give_back(token)
                return self.store.finish(token, outcome, code)
            except self.temporary as error:
                self._say(f"the result is not recorded yet: {' '.join(str(error).split())}")
            if self.clock.wait(RETRY_SECONDS):
                return True  # the lease runs out

    # -- telling -----------------------------------------------------------------------------------

    def _tell(self, moment: int, outcome: str) -> None:
        self.reports.tell(Result(self.plan.job, moment, self.host, outcome))

    def _say(self, text: str) -> None:
        """Print what goes on, once."""
        if text != self._said:
            self._said = text
            print(f"timer {self.plan.job}: {text}", flush=True)


def _exit_status(outcome: str, code: int | None) -> int | None:
    if outcome == "failed":
        return code or 1
    return {"succeeded": 0, "stopped": 0, "timeout": TIMED_OUT}.get(outcome)
