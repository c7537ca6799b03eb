# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Exchanges, queues, bindings, policies and users of a broker: what is wanted, what is there, and what lies between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HASHING = "rabbit_password_hashing_sha256"
QUEUE_ARGUMENTS = {"x-queue-type": "quorum"}  # all else is a policy, which can be changed
RIGHTS = ("configure", "write", "read")


class Binding(NamedTuple):
    """Messages that go from an exchange to a queue."""

    exchange: str
    queue: str
    routing_key: str

    def __str__(self) -> str:
        key = f" ({self.routing_key})" if self.routing_key else ""
        return f"binding {self.exchange} -> {self.queue}{key}"


@dataclass(frozen=True)
class User:
    """What RabbitMQ stores of a user, with the rights in the one vhost (none: no access)."""

    password_hash: str = field(repr=False)
    rights: tuple[str, str, str] | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objects:
    """Everything in one vhost, by name."""

    exchanges: Mapping[str, str]  # type by name
    queues: Mapping[str, Mapping[str, Any]]  # arguments by name
    bindings: frozenset[Binding]
    policies: Mapping[str, Mapping[str, Any]]  # as the API has them, without name and vhost
    users: Mapping[str, User]


# --- what is wanted --------------------------------------------------------------------------------------------------


def policy_of(queue: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The policy of one queue."""
    return {
        "pattern": f"^{re.escape(queue)}$",
        "apply-to": "quorum_queues",
        "definition": dict(definition),
        "priority": 0,
    }


def wanted(parameters: Mapping[str, Any]) -> Objects:
    """What the task asks for."""
    return Objects(
        exchanges={entry["name"]: entry["type"] for entry in parameters["exchanges"]},
        queues={entry["name"]: QUEUE_ARGUMENTS for entry in parameters["queues"]},
        bindings=frozenset(
            Binding(entry["exchange"], entry["queue"], entry.get("routing_key") or "")
            for entry in parameters["bindings"]
        ),
        policies={
            entry["name"]: policy_of(entry["name"], entry["policy"])
            for entry in parameters["queues"]
            if entry.get("policy")
        },
        users={entry["name"]: User(entry["password_hash"], _rights(entry)) for entry in parameters["users"]},
    )


def _rights(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    configure, write, read = (str(entry[right]) for right in RIGHTS)
    return configure, write, read


# --- what is there ---------------------------------------------------------------------------------------------------


def present(
    vhost: str,
    definitions: Mapping[str, Any],
    queues: Sequence[Mapping[str, Any]],
    bindings: Sequence[Mapping[str, Any]],
) -> Objects:
    """What the API says is there: `/api/definitions`, `/api/queues/VHOST` and `/api/bindings/VHOST`.

    RabbitMQ's own exchanges (`amq.`) and the bindings of every queue to the default exchange are left out.
    """
    rights = {entry["user"]: _rights(entry) for entry in _here(vhost, definitions["permissions"])}
    return Objects(
        exchanges={
            entry["name"]: entry["type"]
            for entry in _here(vhost, definitions["exchanges"])
            if not entry["name"].startswith("amq.")
        },
        queues={entry["name"]: entry["arguments"] for entry in queues},
        bindings=frozenset(
            Binding(entry["source"], entry["destination"], entry["routing_key"])
            for entry in bindings
            if entry["source"] and entry["destination_type"] == "queue"
        ),
        policies={
            entry["name"]: {key: entry[key] for key in ("pattern", "apply-to", "definition", "priority")}
            for entry in _here(vhost, definitions["policies"])
        },
        users={
            entry["name"]: User(
                entry.get("password_hash", ""), rights.get(entry["name"]), tuple(entry.get("tags") or ())
            )
            for entry in definitions["users"]
        },
    )


def _here(vhost: str, entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if entry["vhost"] == vhost]


NOTHING = Objects({}, {}, frozenset(), {}, {})


# --- what is missing -------------------------------------------------------------------------------------------------


def conflicts(want: Objects, have: Objects) -> list[str]:
    """Objects that are there but can't be changed into what is wanted, each with the cure."""
    problems = []
    for name, kind in want.exchanges.items():
        if have.exchanges.get(name, kind) != kind:
            problems.append(
                f"exchange {name} is of type {have.exchanges[name]} and should be of type {kind}. Next: delete it, "
                "which loses no message, and run again; or give the event another name."
            )
    for name, arguments in want.queues.items():
        found = have.queues.get(name, arguments)
        if dict(found) != dict(arguments):
            problems.append(
                f"queue {name} was made with {_words(found)} and should have {_words(arguments)}. Next: empty it, "
                f"delete it (`rabbitmqctl delete_queue {name}`) and run again."
            )
    return problems


def _words(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(arguments.items())) or "no arguments"


def additions(vhost: str, want: Objects, have: Objects) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return the definitions to import, and a readable line per change; both empty when all is there."""
    definitions: dict[str, list[dict[str, Any]]] = {}
    changes: list[str] = []

    def add(section: str, entry: dict[str, Any], lines: list[str]) -> None:
        definitions.setdefault(section, []).append(entry)
        changes.extend(lines)

    _add_users(vhost, want, have, add)
    durable = {"vhost": vhost, "durable": True, "auto_delete": False}
    for name, kind in want.exchanges.items():
        if name not in have.exchanges:
            entry = {"name": name, "type": kind, "internal": False, "arguments": {}, **durable}
            add("exchanges", entry, [f"exchange {name}"])
    # RabbitMQ imports policies before queues, so a queue has its limits from its first moment.
    for name, policy in want.policies.items():
        lines = _policy_changes(name, policy, have.policies.get(name))
        if lines:
            add("policies", {"vhost": vhost, "name": name, **policy}, lines)
    for name, arguments in want.queues.items():
        if name not in have.queues:
            add("queues", {"name": name, "arguments": dict(arguments), **durable}, [f"queue {name}"])
    for binding in sorted(want.bindings - have.bindings):
        entry = {
            "vhost": vhost,
            "source": binding.exchange,
            "destination": binding.queue,
            "destination_type": "queue",
            "routing_key": binding.routing_key,
            "arguments": {},
        }
        add("bindings", entry, [str(binding)])
    return definitions, changes


def _add_users(vhost: str, want: Objects, have: Objects, add: Any) -> None:
    for name, user in want.users.items():
        found = have.users.get(name)
        if found is None or (found.password_hash, found.tags) != (user.password_hash, user.tags):
            entry = {
                "name": name,
                "password_hash": user.password_hash,
                "hashing_algorithm": HASHING,
                "tags": [],
            }
            add("users", entry, [f"user {name}" if found is None else f"password or tags of user {name}"])
        if user.rights and (found is None or found.rights != user.rights):
            entry = {"user": name, "vhost": vhost, **dict(zip(RIGHTS, user.rights, strict=True))}
            before = found.rights if found and found.rights else ("^$", "^$", "^$")
            lines = [
                f"user {name} may {right}: {old} -> {new}"
                for right, old, new in zip(RIGHTS, before, user.rights, strict=True)
                if old != new
            ]
            add("permissions", entry, lines or [f"user {name} may enter {vhost}"])


def _policy_changes(name: str, policy: Mapping[str, Any], found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return [f"policy of queue {name}: {_words(policy['definition'])}"]
    if dict(found) == dict(policy):
        return []
    old, new = found["definition"], policy["definition"]
    lines = [
        f"policy of queue {name}: {key} {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in sorted(set(old) | set(new))
        if old.get(key) != new.get(key)
    ]
    return lines or [f"policy of queue {name}: scope"]


# --- what is no longer wanted ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leftovers:
    """What nobody wants any more; of `queues` those may go that turn out to be empty."""

    users: list[str]
    bindings: list[Binding]
    queues: list[str]
    exchanges: list[str]
    policies: list[str]


def leftovers(want: Objects, have: Objects, administrator: str) -> Leftovers:
    """What is there and not wanted, the administrator excepted."""
    return Leftovers(
        users=sorted(set(have.users) - set(want.users) - {administrator}),
        bindings=sorted(have.bindings - want.bindings),
        queues=sorted(set(have.queues) - set(want.queues)),
        exchanges=sorted(set(have.exchanges) - set(want.exchanges)),
        policies=sorted(set(have.policies) - set(want.policies)),
    )


def keep(left: Leftovers, have: Objects, kept: Iterable[str]) -> Leftovers:
    """Take out the queues that stay, with where their dead letters go: policies, bindings and queues."""
    staying = set(kept)
    bindings: set[Binding] = set()
    while True:
        ways = {_dead_letter_way(have, queue) for queue in staying}
        bindings = {binding for binding in have.bindings if (binding.exchange, binding.routing_key) in ways}
        more = {binding.queue for binding in bindings} & set(left.queues)
        if more <= staying:
            break
        staying |= more
    exchanges = {binding.exchange for binding in bindings}
    return Leftovers(
        users=left.users,
        bindings=[binding for binding in left.bindings if binding not in bindings],
        queues=[name for name in left.queues if name not in staying],
        exchanges=[name for name in left.exchanges if name not in exchanges],
        policies=[name for name in left.policies if name not in staying],
    )


def _dead_letter_way(have: Objects, queue: str) -> tuple[str, str]:
    definition = have.policies.get(queue, {}).get("definition", {})
    return definition.get("dead-letter-exchange", ""), definition.get("dead-letter-routing-key", queue)


def waiting_rooms(have: Objects) -> list[str]:
    """Queues whose messages go on to a queue of any name later (retries): dead-lettered to the default exchange."""
    return sorted(
        name
        for name, policy in have.policies.items()
        if name in have.queues and policy["definition"].get("dead-letter-exchange") == ""
    )


def verdicts(
    candidates: Sequence[str], holdings: Mapping[str, tuple[int, int]], rooms: Sequence[str]
) -> dict[str, str]:
    """Why a queue that nobody wants has to stay, by its name. Holdings: messages and consumers by queue."""
    waiting = [name for name in rooms if holdings[name][0]]
    reasons = {}
    for name in candidates:
        messages, consumers = holdings[name]
        if messages:
            reasons[name] = f"it holds {messages} messages"
        elif consumers:
            reasons[name] = f"it has {consumers} consumers"
        elif waiting:
            reasons[name] = f"messages for it may wait in {', '.join(waiting)}"
    return reasons
