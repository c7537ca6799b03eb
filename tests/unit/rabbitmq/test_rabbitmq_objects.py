"""From what a broker has to what the catalog wants: what is imported, what is removed, and what has to stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_objects as plans

VHOST = "tandem"
MAIL = "mail:order.created"
DEAD = f"{MAIL}:dead"
MAIL_POLICY = {"dead-letter-exchange": "dead", "dead-letter-routing-key": MAIL, "max-length": 1000}
PARAMETERS: dict[str, Any] = {
    "exchanges": [{"name": "order.created", "type": "fanout"}, {"name": "dead", "type": "direct"}],
    "queues": [{"name": MAIL, "policy": MAIL_POLICY}, {"name": DEAD, "policy": {}}],
    "bindings": [
        {"exchange": "order.created", "queue": MAIL, "routing_key": ""},
        {"exchange": "dead", "queue": DEAD, "routing_key": MAIL},
    ],
    "users": [
        {
            "name": "mail.1",
            "password_hash": "aGFzaA==",
            "configure": "^$",
            "write": "^(dead)$",
            "read": "^(x)$",
        }
    ],
}
WANT = plans.wanted(PARAMETERS)
# RabbitMQ has its administrator besides.
HAVE = replace(WANT, users={**WANT.users, "tandem": plans.User("b3duZXI=", (".*",) * 3, ("administrator",))})


def without(have: plans.Objects, queue: str) -> plans.Objects:
    """What is wanted when the catalog no longer has a queue."""
    return replace(
        have,
        queues={name: value for name, value in have.queues.items() if name != queue},
        policies={name: value for name, value in have.policies.items() if name != queue},
        bindings=frozenset(binding for binding in have.bindings if binding.queue != queue),
    )


# --- what is there ---------------------------------------------------------------------------------------------------


def test_what_was_imported_is_read_back_as_it_was_wanted() -> None:
    """The API's answers, in the shape that RabbitMQ 4.0.5 gives them."""
    definitions, _ = plans.additions(VHOST, WANT, plans.NOTHING)
    own = {"vhost": VHOST, "name": "amq.direct", "type": "direct", "durable": True}
    other = {"vhost": "other", "name": "theirs", "type": "topic", "durable": True}
    implicit = {
        "source": "",
        "destination": MAIL,
        "destination_type": "queue",
        "routing_key": MAIL,
        "vhost": VHOST,
    }
    queues = [{**queue, "messages": 0, "type": "quorum"} for queue in definitions["queues"]]
    have = plans.present(
        VHOST,
        {**definitions, "exchanges": [*definitions["exchanges"], own, other]},
        queues,
        [implicit, *definitions["bindings"]],
    )
    assert have == WANT
    assert plans.additions(VHOST, WANT, have) == ({}, [])


# --- what is missing -------------------------------------------------------------------------------------------------


def test_a_new_cluster_gets_everything_and_the_change_reads_well() -> None:
    definitions, changes = plans.additions(VHOST, WANT, plans.NOTHING)
    assert definitions["users"] == [
        {
            "name": "mail.1",
            "password_hash": "aGFzaA==",
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": [],
        }
    ]
    assert definitions["policies"][0]["pattern"] == f"^{MAIL}$".replace(".", "\\.")
    assert definitions["policies"][0]["apply-to"] == "quorum_queues"
    assert {queue["arguments"]["x-queue-type"] for queue in definitions["queues"]} == {"quorum"}
    assert all(queue["durable"] and not queue["auto_delete"] for queue in definitions["queues"])
    assert f"binding dead -> {DEAD} ({MAIL})" in changes
    assert "user mail.1 may write: ^$ -> ^(dead)$" in changes
    assert not [line for line in changes if "aGFzaA" in line]


def test_nothing_is_imported_when_all_is_there() -> None:
    assert plans.additions(VHOST, WANT, HAVE) == ({}, [])


@pytest.mark.parametrize(
    ("changed", "section", "line"),
    [
        (
            {"queues": [{"name": MAIL, "policy": {**MAIL_POLICY, "max-length": 5}}]},
            "policies",
            f"policy of queue {MAIL}: max-length 1000 -> 5",
        ),
        (
            {"users": [{**PARAMETERS["users"][0], "read": "^(y)$"}]},
            "permissions",
            "user mail.1 may read: ^(x)$ -> ^(y)$",
        ),
        (
            {"users": [{**PARAMETERS["users"][0], "password_hash": "other"}]},
            "users",
            "password or tags of user mail.1",
        ),
        ({"exchanges": [{"name": "order.paid", "type": "fanout"}]}, "exchanges", "exchange order.paid"),
    ],
)
def test_a_difference_is_imported_alone(changed: dict[str, Any], section: str, line: str) -> None:
    definitions, changes = plans.additions(VHOST, plans.wanted(PARAMETERS | changed), HAVE)
    assert list(definitions) == [section]
    assert changes == [line]


def test_a_user_with_a_tag_loses_it() -> None:
    promoted = replace(WANT.users["mail.1"], tags=("administrator",))
    have = replace(HAVE, users={**HAVE.users, "mail.1": promoted})
    definitions, changes = plans.additions(VHOST, WANT, have)
    assert definitions["users"][0]["tags"] == []
    assert changes == ["password or tags of user mail.1"]


def test_an_exchange_or_queue_of_another_kind_is_refused_with_the_cure() -> None:
    have = replace(
        HAVE,
        exchanges={**HAVE.exchanges, "dead": "topic"},
        queues={**HAVE.queues, MAIL: {"x-queue-type": "classic"}},
    )
    exchange, queue = plans.conflicts(WANT, have)
    assert "exchange dead is of type topic and should be of type direct. Next: " in exchange
    assert "made with x-queue-type=classic and should have x-queue-type=quorum. Next: " in queue
    assert plans.conflicts(WANT, HAVE) == []


# --- what is no longer wanted ----------------------------------------------------------------------------------------


def test_nothing_is_left_over_of_what_is_wanted_and_the_administrator_stays() -> None:
    assert plans.leftovers(WANT, HAVE, "tandem") == plans.Leftovers([], [], [], [], [])


def test_users_of_older_generations_and_guest_are_left_over() -> None:
    have = replace(HAVE, users={**HAVE.users, "mail.0": plans.User("", None), "guest": plans.User("", None)})
    assert plans.leftovers(WANT, have, "tandem").users == ["guest", "mail.0"]


def test_an_empty_queue_goes_with_all_that_belongs_to_it() -> None:
    want = without(without(WANT, MAIL), DEAD)
    left = plans.keep(plans.leftovers(want, HAVE, "tandem"), HAVE, [])
    assert left.queues == [MAIL, DEAD]
    assert left.policies == [MAIL]
    assert len(left.bindings) == 2


def test_a_queue_that_stays_keeps_where_its_dead_letters_go_and_gets_nothing_new() -> None:
    want = replace(without(without(WANT, MAIL), DEAD), exchanges={})
    left = plans.keep(plans.leftovers(want, HAVE, "tandem"), HAVE, [MAIL])
    assert left.queues == []
    assert left.policies == []
    assert left.exchanges == ["order.created"]
    assert [str(binding) for binding in left.bindings] == [f"binding order.created -> {MAIL}"]


def test_a_dead_letter_queue_that_stays_does_not_hold_back_its_queue() -> None:
    want = without(without(WANT, MAIL), DEAD)
    left = plans.keep(plans.leftovers(want, HAVE, "tandem"), HAVE, [DEAD])
    assert left.queues == [MAIL]


def test_only_a_queue_that_is_empty_unused_and_not_waited_for_may_go() -> None:
    rooms = ["retry:1s"]
    candidates = ["a", "b", "c"]
    quiet = {"a": (3, 0), "b": (0, 1), "c": (0, 0), "retry:1s": (0, 0)}
    assert plans.verdicts(candidates, quiet, rooms) == {
        "a": "it holds 3 messages",
        "b": "it has 1 consumers",
    }
    busy = quiet | {"retry:1s": (2, 0)}
    assert plans.verdicts(["c"], busy, rooms) == {"c": "messages for it may wait in retry:1s"}


def test_waiting_rooms_are_the_queues_that_send_on_by_name() -> None:
    policy = {**WANT.policies[MAIL], "definition": {"dead-letter-exchange": ""}}
    have = replace(
        HAVE,
        queues={**HAVE.queues, "retry:1s": plans.QUEUE_ARGUMENTS},
        policies={**HAVE.policies, "retry:1s": policy, "retry:gone": policy},
    )
    assert plans.waiting_rooms(have) == ["retry:1s"]
