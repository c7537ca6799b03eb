"""RabbitMQ's three nodes, and the events that go through them."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row, Word
from dashboards.panels import DOWN, UP, at_most, series, stacked, stat, states, table
from dashboards.promql import within

FINE = (Word(0, "no", "green"), Word(1, "yes", "red"))

NODES = Row(
    "The nodes",
    (
        states(
            "Node answers",
            "Two of three are needed for every queue.",
            Query('min by (host) (up{job="rabbitmq"})', "{{host}}"),
            words=(DOWN, UP),
            links=(names.HOST_LOGS,),
        ),
        states(
            "Nodes that it can't reach",
            "Of its cluster, by each node.",
            Query("max by (host) (rabbitmq_unreachable_cluster_peers_count)", "{{host}}"),
            words=(Word(0, "none", "green"), Word(1, "one", "orange"), Word(2, "two", "red")),
        ),
        states(
            "Takes no messages: memory",
            "An alarm of one node stops publishers on all; events wait in the outboxes.",
            Query("max by (host) (rabbitmq_alarms_memory_used_watermark)", "{{host}}"),
            words=FINE,
        ),
        states(
            "Takes no messages: disk",
            "The same, for free space.",
            Query("max by (host) (rabbitmq_alarms_free_disk_space_watermark)", "{{host}}"),
            words=FINE,
        ),
        series(
            "Queues that would stop with this node",
            "Queues whose majority depends on it. Restart no node while another one's number is not 0.",
            units.COUNT,
            Query("max by (host) (tandem_rabbitmq_quorum_critical_queues)", "{{host}}"),
            width=12,
            steps=at_most(1, 1),
        ),
        series(
            "Memory",
            "Used share of the limit at which the node takes no messages.",
            units.SHARE,
            Query(
                "max by (host) (rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes)",
                "{{host}}",
            ),
            width=12,
            most=1,
            steps=at_most(0.8, 1),
        ),
        series(
            "Disk above the limit",
            "Free space beyond that at which the node takes no messages.",
            units.BYTES,
            Query(
                "min by (host) (rabbitmq_disk_space_available_bytes - rabbitmq_disk_space_available_limit_bytes)",
                "{{host}}",
            ),
            width=12,
        ),
        series(
            "Connections, channels, consumers",
            "Of all nodes together.",
            units.COUNT,
            Query("sum(rabbitmq_connections)", "connections"),
            Query("sum(rabbitmq_channels)", "channels"),
            Query("sum(rabbitmq_consumers)", "consumers"),
            width=12,
        ),
    ),
)

FLOW = Row(
    "Messages",
    (
        series(
            "Longest queues",
            "Messages by queue, ready and in hand; the ten longest.",
            units.COUNT,
            Query("topk(10, queue:messages:max)", "{{queue}}"),
            width=12,
        ),
        table(
            "Dead letters that wait",
            "Messages that could not be handled, by queue: docs/events.md says how to see, resend and drop them.",
            units.COUNT,
            Query('queue:messages:max{queue=~".+:dead"} > 0'),
            hidden=("__name__",),
            empty="no message waits for a person",
        ),
        series(
            "Messages",
            "Taken from publishers, confirmed to them, given to consumers, acknowledged by them.",
            units.MESSAGES_PER_SECOND,
            Query("sum(rate(rabbitmq_global_messages_received_total[$__rate_interval]))", "taken"),
            Query("sum(rate(rabbitmq_global_messages_confirmed_total[$__rate_interval]))", "confirmed"),
            Query("sum(rate(rabbitmq_global_messages_delivered_total[$__rate_interval]))", "given"),
            Query("sum(rate(rabbitmq_global_messages_acknowledged_total[$__rate_interval]))", "acknowledged"),
        ),
        series(
            "Messages in the queues",
            "Ready for a consumer, and in the hands of one. Each queue is counted by the node that leads it.",
            units.COUNT,
            Query("sum(rabbitmq_queue_messages_ready)", "ready"),
            Query("sum(rabbitmq_queue_messages_unacked)", "in hand"),
        ),
        series(
            "Messages given again, messages nobody wanted",
            "Again: a consumer left while it had them. Nobody wanted: no queue is bound, or none takes it.",
            units.MESSAGES_PER_SECOND,
            Query("sum(rate(rabbitmq_global_messages_redelivered_total[$__rate_interval]))", "again"),
            Query(
                "sum(rate(rabbitmq_global_messages_unroutable_returned_total[$__rate_interval]))"
                " + sum(rate(rabbitmq_global_messages_unroutable_dropped_total[$__rate_interval]))",
                "nobody",
            ),
        ),
    ),
)

EVENTS = Row(
    "Events of the services",
    (
        series(
            "Oldest event not sent",
            "By service, as its database has it. It grows while the relay or the broker is away.",
            units.SECONDS,
            Query("max by (service) (tandem_outbox_oldest_seconds)", "{{service}}"),
            steps=at_most(30, 120),
            links=(names.THIS_SERVICE,),
        ),
        series(
            "Events not sent",
            "Rows in the outboxes.",
            units.COUNT,
            Query("max by (service) (tandem_outbox_rows)", "{{service}}"),
            links=(names.THIS_SERVICE,),
        ),
        series(
            "Age of events when they come",
            "From what they tell of to the consumer: outbox, relay and queue together. The oldest of all instances.",
            units.SECONDS,
            Query("max by (service, type) (event_lag_seconds)", "{{service}} {{type}}"),
            links=(names.THIS_SERVICE,),
        ),
        stacked(
            "Events handled",
            "By what became of them. Retried ones come again later; dead ones wait for a person.",
            units.MESSAGES_PER_SECOND,
            Query("sum by (outcome) (rate(events_consumed_total[$__rate_interval]))", "{{outcome}}"),
        ),
        series(
            "Time to handle an event",
            "95 of 100 are handled within this time.",
            units.SECONDS,
            Query(
                within(0.95, "events_seconds_bucket", "service", "type"),
                "{{service}} {{type}}",
            ),
            links=(names.THIS_SERVICE,),
        ),
        series(
            "Events sent by relays",
            "Confirmed by the broker.",
            units.MESSAGES_PER_SECOND,
            Query("sum by (part_of) (rate(outbox_published_total[$__rate_interval]))", "{{part_of}}"),
        ),
        stat(
            "Relays that lead",
            "One per service that publishes.",
            units.COUNT,
            Query("sum by (part_of) (outbox_relay_leads)", "{{part_of}}"),
            width=12,
            height=8,
        ),
        series(
            "New dead letters",
            "Messages that became dead letters, in 5 minutes.",
            units.COUNT,
            Query(
                'sum by (service, type) (increase(events_consumed_total{outcome="dead"}[5m]))',
                "{{service}} {{type}}",
            ),
            width=12,
            steps=at_most(1, 1),
            links=(names.ITS_LOGS,),
            empty="a series begins with a service's first dead letter",
        ),
    ),
)

BOARD = Board(
    names.RABBITMQ,
    "RabbitMQ and events",
    "The broker's nodes, its messages, and what services make of them.",
    (NODES, FLOW, EVENTS),
)
