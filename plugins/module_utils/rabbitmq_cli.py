# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ's own commands, run on a node's host. Each costs half a second of CPU, so they are for changes only."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BINARIES = "/usr/sbin"
NODE = re.compile(r"'?(rabbit@[A-Za-z0-9._-]+)'?")
# Members as the metadata store knows them, those that run, and how many queues there are; `-` between them.
CLUSTER = (
    'io:format("~0p - ~0p - ~b",'
    " [rabbit_nodes:list_members(), rabbit_nodes:list_running(), rabbit_amqqueue:count()])."
)
DISTRIBUTION_PORT = 25672
TAIL_LINES = 15

Run = Callable[[Sequence[str], float], str]


class CliError(Exception):
    """A command failed; the message holds the end of what it said and is meant for the user."""


def run(words: Sequence[str], timeout_s: float = 60) -> str:
    """Output of `rabbitmqctl`, `rabbitmq-queues`, …; raises `CliError`."""
    command = [f"{BINARIES}/{words[0]}", *words[1:]]
    readable = " ".join(words[:4])
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CliError(f"`{readable}` took longer than {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise CliError(f"`{readable}` failed (rc {done.returncode}); it said:\n{tail(done.stdout)}")
    return done.stdout


def tail(text: str) -> str:
    """Last lines of a text that say something."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines[-TAIL_LINES:])


def node_names(text: str) -> list[str]:
    """Names of nodes in an Erlang term such as ``['rabbit@a.test','rabbit@b.test']``."""
    return NODE.findall(text)


@dataclass(frozen=True)
class Cluster:
    """A cluster as one of its nodes sees it."""

    members: tuple[str, ...]
    running: tuple[str, ...]
    queues: int


def cluster_of(node: str, do: Run = run) -> Cluster:
    """Ask a node for its cluster; raises `CliError`."""
    said = do(["rabbitmqctl", "--silent", "--node", node, "eval", CLUSTER], 30)
    match = re.search(r"(\[.*\]) - (\[.*\]) - (\d+)", said, re.DOTALL)
    if not match:
        raise CliError(f"{node} was asked for its cluster and said: {tail(said)}")
    return Cluster(tuple(node_names(match[1])), tuple(node_names(match[2])), int(match[3]))


def answer(node: str, timeout_s: float = 2) -> str:
    """How the host of a node answers its peers: `listens`, `refuses` (the node does not run), `silent` (out of reach).

    Quicker than a command, and it tells a node that is down from one that can't be seen.
    """
    try:
        socket.create_connection((node.partition("@")[2], DISTRIBUTION_PORT), timeout_s).close()
    except ConnectionRefusedError:
        return "refuses"
    except OSError:
        return "silent"
    return "listens"


# --- what a queue holds ----------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """A string as an Erlang binary."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'


def holdings_expression(vhost: str, queues: Sequence[str]) -> str:
    """Erlang that prints `messages consumers name` per queue, agreed on by a majority of each queue's members."""
    names = ",".join(quoted(name) for name in queues)
    ask = "{ok,%s,_} = ra:consistent_query(P, fun rabbit_fifo:%s/1)"
    return (
        "lists:foreach(fun(N) ->"
        f" {{ok,Q}} = rabbit_amqqueue:lookup(rabbit_misc:r({quoted(vhost)}, queue, N)), P = amqqueue:get_pid(Q),"
        f" {ask % ('M', 'query_messages_total')}, {ask % ('C', 'query_consumer_count')},"
        f' io:format("~b ~b ~ts~n", [M, C, N]) end, [{names}]).'
    )


def holdings(vhost: str, queues: Sequence[str], do: Run = run) -> dict[str, tuple[int, int]]:
    """Messages and consumers of quorum queues, exact at the moment of asking; raises `CliError`."""
    if not queues:
        return {}
    said = do(["rabbitmqctl", "--silent", "eval", holdings_expression(vhost, queues)], 60)
    found = {}
    for line in said.splitlines():
        match = re.fullmatch(r"(\d+) (\d+) (.+)", line)
        if match:
            found[match[3]] = (int(match[1]), int(match[2]))
    lacking = [name for name in queues if name not in found]
    if lacking:
        raise CliError(f"nothing was said of {', '.join(lacking)}:\n{tail(said)}")
    return found
