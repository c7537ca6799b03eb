# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Timeout profiles: one name decides every timeout of the database, the broker, their clients and HAProxy.

The values of ``fast`` and ``normal`` were measured under load with faults injected; ``wide`` (datacenters far
apart) was not, so it promises nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .schema import Strict

Milliseconds = Annotated[int, Field(ge=100, le=600_000)]
Seconds = Annotated[int, Field(ge=1, le=600)]
Count = Annotated[int, Field(ge=1, le=20)]


class PostgresTimeouts(Strict):
    """Timeouts of the monitor, the nodes and the stall guard."""

    health_check_period_ms: Milliseconds
    health_check_timeout_ms: Milliseconds
    health_check_max_retries: Count
    health_check_retry_delay_ms: Milliseconds
    node_considered_unhealthy_timeout_ms: Milliseconds
    primary_demote_timeout_ms: Milliseconds
    network_partition_timeout_s: Seconds
    wal_sender_timeout_ms: Milliseconds
    wal_receiver_timeout_ms: Milliseconds
    wal_retrieve_retry_interval_ms: Milliseconds
    # A promotion ends with a checkpoint, which took 2.0 s of the 2.5 s below after five minutes without one.
    checkpoint_timeout_s: Annotated[int, Field(ge=30, le=3600)]
    # A walreceiver's connect has no timeout of its own; with more, resync after healing took up to 35 s.
    tcp_syn_retries: Count = 2
    stall_guard_wait_s: Seconds  # the guard acts when the standby has not streamed for so long


class ClientTimeouts(Strict):
    """What the services' connection strings carry."""

    connect_timeout_s: Annotated[int, Field(ge=2, le=60)]  # libpq takes 1 for 2
    tcp_user_timeout_ms: Milliseconds
    keepalives_idle_s: Seconds
    keepalives_interval_s: Seconds
    keepalives_count: Count


class HaproxyTimeouts(Strict):
    """Checks and connections of the edges' routers and the hosts' doors."""

    check_interval_ms: Milliseconds
    check_timeout_ms: Milliseconds
    fall: Count
    rise: Count
    connect_timeout_ms: Milliseconds


class RabbitmqTimeouts(Strict):
    """What RabbitMQ's nodes and their clients carry."""

    # A node that is silent is taken for dead after 0.75 to 1.25 of it.
    net_tick_time_s: Annotated[int, Field(ge=4, le=120)]
    # Clients send something in half of it; after two that are missing either side gives the connection up.
    heartbeat_s: Annotated[int, Field(ge=2, le=120)]
    tcp_user_timeout_ms: Milliseconds
    connect_timeout_s: Seconds


class Promise(Strict):
    """What a profile promises to clients; null where nothing was measured."""

    single_fault_s: int | None  # longest time without a successful write after any single fault
    switchover_s: int | None  # the same for a planned switchover
    measured: bool
    text: str


class Profile(Strict):
    """All values of one profile."""

    name: str
    promise: Promise
    postgres: PostgresTimeouts
    client: ClientTimeouts
    haproxy: HaproxyTimeouts
    rabbitmq: RabbitmqTimeouts


FAST = Profile(
    name="fast",
    promise=Promise(
        single_fault_s=12,
        switchover_s=2,
        measured=True,
        text="any single fault: writes go on within 12 s at the client; a planned switchover within 2 s",
    ),
    postgres=PostgresTimeouts(
        # With a period of 1000 and a delay of 500 ms a dead host was noticed 4.3 to 5.9 s after its death, later than
        # the silence of its keeper below. A failed check alone demotes nobody: both must agree.
        health_check_period_ms=500,
        health_check_timeout_ms=1000,
        health_check_max_retries=1,
        health_check_retry_delay_ms=200,
        node_considered_unhealthy_timeout_ms=5000,
        # Rounded up by the keeper's loop of about a second: with 3000 it lasted 4 s, and a kill cost up to 12.5 s.
        # The sender's timeout is lower by the same, so the margin of the self-fence stays as it was measured.
        primary_demote_timeout_ms=2500,
        network_partition_timeout_s=3,
        wal_sender_timeout_ms=2500,
        wal_receiver_timeout_ms=2500,
        wal_retrieve_retry_interval_ms=500,
        checkpoint_timeout_s=60,
        stall_guard_wait_s=4,
    ),
    client=ClientTimeouts(
        connect_timeout_s=2,
        tcp_user_timeout_ms=2000,
        keepalives_idle_s=1,
        keepalives_interval_s=1,
        keepalives_count=2,
    ),
    haproxy=HaproxyTimeouts(
        check_interval_ms=1000, check_timeout_ms=1500, fall=2, rise=2, connect_timeout_ms=1000
    ),
    # Not yet measured. A dead node is noticed within 5 s, a dead peer of a busy or idle connection within 4.5 s.
    rabbitmq=RabbitmqTimeouts(
        net_tick_time_s=4, heartbeat_s=5, tcp_user_timeout_ms=2000, connect_timeout_s=2
    ),
)

# Measured: power loss 20.7 s, cut of the primary's site 21.1 s (margin 12.8 s), switchover 1.1 s.
NORMAL = Profile(
    name="normal",
    promise=Promise(
        single_fault_s=25,
        switchover_s=2,
        measured=True,
        text="any single fault: writes go on within 25 s at the client; a planned switchover within 2 s",
    ),
    postgres=PostgresTimeouts(
        health_check_period_ms=2000,
        health_check_timeout_ms=2000,
        health_check_max_retries=2,
        health_check_retry_delay_ms=1000,
        node_considered_unhealthy_timeout_ms=10_000,
        primary_demote_timeout_ms=8000,
        network_partition_timeout_s=3,  # with 5 the margin of the self-fence shrank from 5.2 to 1.2 s
        wal_sender_timeout_ms=5000,
        wal_receiver_timeout_ms=5000,
        wal_retrieve_retry_interval_ms=500,
        checkpoint_timeout_s=120,
        stall_guard_wait_s=6,
    ),
    client=FAST.client,
    haproxy=HaproxyTimeouts(
        check_interval_ms=2000, check_timeout_ms=2000, fall=2, rise=2, connect_timeout_ms=2000
    ),
    # Not yet measured.
    rabbitmq=RabbitmqTimeouts(
        net_tick_time_s=8, heartbeat_s=10, tcp_user_timeout_ms=4000, connect_timeout_s=3
    ),
)

# Not measured. From pg_auto_failover's own default of 20 s unhealthy, with a wide margin of the inequality:
# 10 + 6 + 1 < 20 + 15.
WIDE = Profile(
    name="wide",
    promise=Promise(
        single_fault_s=None,
        switchover_s=None,
        measured=False,
        text="not measured: measure it on your own network before you promise anything",
    ),
    postgres=PostgresTimeouts(
        health_check_period_ms=5000,
        health_check_timeout_ms=5000,
        health_check_max_retries=2,
        health_check_retry_delay_ms=2000,
        node_considered_unhealthy_timeout_ms=20_000,
        primary_demote_timeout_ms=15_000,
        network_partition_timeout_s=6,
        wal_sender_timeout_ms=10_000,
        wal_receiver_timeout_ms=10_000,
        wal_retrieve_retry_interval_ms=1000,
        checkpoint_timeout_s=300,
        stall_guard_wait_s=12,
    ),
    client=ClientTimeouts(
        connect_timeout_s=5,
        tcp_user_timeout_ms=5000,
        keepalives_idle_s=2,
        keepalives_interval_s=2,
        keepalives_count=3,
    ),
    haproxy=HaproxyTimeouts(
        check_interval_ms=3000, check_timeout_ms=3000, fall=3, rise=2, connect_timeout_ms=5000
    ),
    rabbitmq=RabbitmqTimeouts(
        net_tick_time_s=30, heartbeat_s=30, tcp_user_timeout_ms=10_000, connect_timeout_s=5
    ),
)

PROFILES = {profile.name: profile for profile in (FAST, NORMAL, WIDE)}
