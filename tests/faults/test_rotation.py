"""The key that signs tokens is changed under load, and nobody is logged out."""

from __future__ import annotations

import base64
import json

from tests.support.load import Load
from tests.support.playbook import playbook
from tests.support.shop import logged_in, visitor

KEY = "users/jwt_key"


def key_id(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def rotate(log):
    more = ("-e", f"signing_key={KEY}", "-e", f"confirm={KEY}", "-e", "minimum_age=0")
    run = playbook("playbooks/rotate_signing_key.yml", *more, log=log)
    assert run.rc == 0, run.output[-4000:]
    return run


def person(lab):
    shop = visitor(lab, next(iter(lab.env()["edges"])))
    logged_in(shop)
    return shop


def test_rotation_logs_nobody_out(lab, logs):
    # A first change, so that the next one has a key to forget.
    rotate(logs / "rotation-before.log")
    before = person(lab)
    old = key_id(before.headers["Authorization"].split()[1])
    with Load(lab, logs / "rotation-load.log", seconds=1200, orders=2, reads=5) as load:
        run = rotate(logs / "rotation.log")
        load.stop()
    print(f"rotation: {run.seconds:.0f} s; {load.summary()}")
    assert load.ledger.failures() == []
    assert load.lost_or_doubled() == []
    after = person(lab)
    new = key_id(after.headers["Authorization"].split()[1])
    assert new != old
    assert after.ask("GET", "/users/me").status == 200
    again = playbook("site.yml", log=logs / "rotation-again.log")
    assert again.rc == 0 and not again.hosts_changed, again.changed_tasks()
