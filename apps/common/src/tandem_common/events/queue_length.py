"""How many messages wait for a consumer: what the host's autoscale asks.

A passive declaration needs no permission beside the login, and takes nothing from anybody.
"""

import pika
from pika import exceptions

from tandem_common.events.nodes import Nodes, parameters
from tandem_common.problems import Unavailable
from tandem_common.settings import BrokerSettings


def work(settings: BrokerSettings) -> None:
    """Print the number of messages that no consumer has yet, in all queues of this entry. Raises Unavailable.

    Those that consumers hold unacknowledged, at most BROKER_PREFETCH each and queue, are not counted: the broker
    tells them only to its administrators.
    """
    nodes = Nodes.of(settings.broker_hosts).nodes
    try:
        connection = pika.BlockingConnection([parameters(settings, node) for node in nodes])
        try:
            channel = connection.channel()
            queues = {consumed.queue for consumed in settings.broker_consumes.values()}
            found = [channel.queue_declare(queue, passive=True) for queue in sorted(queues)]
        finally:
            if connection.is_open:
                connection.close()
    except (exceptions.AMQPError, OSError) as error:
        raise Unavailable(f"The broker: {type(error).__name__} {error}") from error
    print(sum(answer.method.message_count for answer in found))
