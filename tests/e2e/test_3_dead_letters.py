"""A message that nobody can handle stays where an operator finds it, and blocks no other."""

import time

from tests.support.cluster import primary, psql
from tests.support.orderstate import queued
from tests.support.playbook import playbook

DEAD = "audit:user.login_failed:dead"
# As if a release had gone wrong: it leaves through the outbox like any event.
POISON = """insert into outbox (message_id, subject, type, body)
  values (gen_random_uuid(), gen_random_uuid()::text, 'user.login_failed', 'no JSON') returning message_id"""


def act(verb, *options):
    arguments = ["-e", "service=audit", "-e", f"verb={verb}"]
    for option in options:
        arguments += ["-e", option]
    return playbook("playbooks/dead_letters.yml", *arguments)


def wait_for(lab, count):
    end = time.monotonic() + 30
    while (found := queued(lab)[DEAD]) != count:
        assert time.monotonic() < end, f"{found} messages in {DEAD}, not {count}"
        time.sleep(1)


def test_dead_letters_are_shown_sent_again_and_dropped(lab):
    message = psql(lab, primary(lab), POISON, "users").splitlines()[0]
    wait_for(lab, 1)
    run = act("list")
    assert run.rc == 0, run.output[-3000:]
    assert message in run.output
    assert "Invalid JSON" in run.output, run.output[-3000:]
    run = act("requeue", f"id={message}")
    assert run.rc == 0, run.output[-3000:]
    wait_for(lab, 1)  # As wrong as before: it has come back.
    refused = act("drop", f"id={message}", "reason=test")
    assert refused.rc != 0 and "confirm" in refused.output
    run = act("drop", f"id={message}", "reason='only a test'", f"confirm={message}")
    assert run.rc == 0, run.output[-3000:]
    wait_for(lab, 0)
    journal = ["journalctl", "--namespace=audit-events", "--since=-5min", "-o", "cat", "--no-pager"]
    records = "".join(
        lab.run(host, journal, timeout=20).stdout for host in ("msk-app1", "msk-app2", "spb-app1")
    )
    dropped = [line for line in records.splitlines() if message in line and "dead letter dropped" in line]
    assert len(dropped) == 1 and "only a test" in dropped[0], records[-2000:]
