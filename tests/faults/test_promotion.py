"""The one decision that is left to a human: the primary is lost while its standby lacks acknowledged writes."""

import time

import pytest

from tests.support.cluster import MONITOR_PORT, primary, psql, standby, wait_settled
from tests.support.playbook import playbook

MONITOR = "wit1"
LIMIT = "select setting from pg_settings where name = 'pgautofailover.promote_wal_log_threshold'"
MARKER = "select count(*) from stall_guard.degraded"
# More than the 16 MiB behind which 2.2 by itself promotes nobody.
MUCH = "create table lost as select n, repeat(md5(n::text), 8) from generate_series(1, 120000) n"


def monitor(lab, sql):
    return psql(lab, MONITOR, sql, "pg_auto_failover", MONITOR_PORT)


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)


@pytest.fixture
def lost(lab):
    """A cluster whose primary went on alone behind a cut link, and then lost its power; returns both names."""
    wait_settled(lab)
    leader, follower = primary(lab), standby(lab)
    lab.cut_link("msk", "spb")
    wait_for(lambda: monitor(lab, MARKER) == "1", 30)
    psql(lab, leader, MUCH)
    time.sleep(3)  # until the keeper has reported the new position
    lab.kill(leader)
    time.sleep(12)  # the playbook wants 10 s of silence
    return leader, follower


def promote(confirm=None):
    return playbook("playbooks/postgres_promote.yml", *(["-e", f"confirm={confirm}"] if confirm else []))


def test_a_human_promotes_the_standby_that_lacks_writes(lab, lost):
    leader, follower = lost
    limit = monitor(lab, LIMIT)
    told = promote()
    assert told.rc == 0, told.output[-3000:]
    assert f"-e confirm={follower}" in told.output
    assert "MiB of WAL" in told.output
    refused = promote(leader)
    assert refused.rc != 0
    assert primary(lab) == leader, "nothing may have changed so far"

    done = promote(follower)
    assert done.rc == 0, done.output[-3000:]
    assert primary(lab) == follower
    assert monitor(lab, LIMIT) == limit

    lab.heal()
    lab.boot(leader)
    lab.wait(leader)
    wait_settled(lab, 180)
    assert monitor(lab, MARKER) == "0"
    for host in (leader, follower):
        assert psql(lab, host, "select to_regclass('public.lost') is null") == "t", host
