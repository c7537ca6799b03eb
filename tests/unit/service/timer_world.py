"""Hosts with one database for the tests of timers."""

import threading
import time

import psycopg2
from timer_runner.database import OPTIONS, passing
from timer_runner.job import Job
from timer_runner.leases import Store, UnknownOutcome
from timer_runner.moments import latest
from timer_runner.plan import Plan
from timer_runner.report import Reports
from timer_runner.runner import Clock, Runner

from apps.tests.support.postgres import PASSWORD

JOB = "digest"
LEASE = 2.0


class World:
    """One database `shop`, whose hosts' job appends its token to a file."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.cut_off = set()
        # A moment that has just come, by the server's clock too.
        self.nine = int(time.time())
        self.come(self.nine)
        self.runs = folder / "runs"

    def connect(self, host="a"):
        """What a host's runner connects with; fails while the host is cut off."""
        if host in self.cut_off:
            raise psycopg2.OperationalError("no route to host")
        dsn = self.server.dsn("shop", "shop", tcp_user_timeout=2000)
        connection = psycopg2.connect(dsn, password=PASSWORD, options=OPTIONS)
        return connection, connection.notices

    def store(self, host, lease=LEASE, job=JOB):
        return Store(lambda: self.connect(host), job, host, lease)

    def runner(self, host, command='echo "$LEASE_TOKEN" >> RUNS', **more):
        """A runner on a host; the job is a shell's command."""
        folder = self.folder / host
        folder.mkdir(exist_ok=True)
        values = {"catch_up": False, "timeout_seconds": 20, "grace_seconds": 300, "lease_seconds": LEASE}
        words = ["/bin/sh", "-c", command.replace("RUNS", str(self.runs))]
        plan = Plan(JOB, "daily UTC", words, **(values | more))
        clock = Clock(threading.Event(), lambda: self.now)
        found = Runner(plan, host, lambda seconds: self.next(seconds), Reports(folder), clock)
        if plan.lease_seconds is not None:
            found.store = self.store(host, plan.lease_seconds)
            found.temporary = (*passing(psycopg2), UnknownOutcome)
        found.start = Job
        return found

    def settle(self, *runners):
        """Run runners at the same time, as hosts do; return their exit statuses."""
        statuses = {}
        threads = [
            threading.Thread(
                daemon=True, target=lambda each=each: statuses.update({each.host: each.settle()})
            )
            for each in runners
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        return [statuses[each.host] for each in runners]

    def tokens(self):
        """The tokens of the runs that were done, in order."""
        return [int(line) for line in self.runs.read_text().split()] if self.runs.exists() else []

    def rows(self, columns="token, host, outcome, exit_code"):
        return self.server.execute(
            f"select {columns} from tandem.timer_runs where job = '{JOB}' order by token", "shop"
        )

    def come(self, moment):
        """Let a moment come."""
        assert latest(moment, lambda seconds: moment if seconds < moment else None) == moment
        self.now, self.next = float(moment), lambda seconds: moment if seconds < moment else None
