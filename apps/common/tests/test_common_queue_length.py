"""`<service> queue-length`: what the host's autoscale asks. The broker is a stand-in here."""

from types import SimpleNamespace

import pika
import pytest
from pika import exceptions
from tandem_common.events import queue_length
from tandem_common.problems import Unavailable
from tandem_common.settings import BrokerSettings

CONSUMES = {"order.paid": {"queue": "mails:order.paid"}, "order.shipped": {"queue": "mails:order.shipped"}}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(queue_length, "parameters", lambda settings, node: str(node))
    return BrokerSettings.model_construct(
        broker_hosts="a.example:5671,b.example:5671",
        broker_consumes={
            name: SimpleNamespace(queue=consumed["queue"]) for name, consumed in CONSUMES.items()
        },
    )


class Broker:
    """Stands in for pika's connection: queues by name, and what became of it."""

    def __init__(self, queues):
        self.queues, self.is_open, self.nodes = queues, True, []

    def __call__(self, nodes):
        self.nodes = nodes
        return self

    def channel(self):
        return self

    def queue_declare(self, name, passive):
        assert passive, "it must make nothing"
        if name not in self.queues:
            self.is_open = False
            raise exceptions.ChannelClosedByBroker(404, f"NOT_FOUND - no queue '{name}'")
        return SimpleNamespace(method=SimpleNamespace(message_count=self.queues[name]))

    def close(self):
        self.is_open = False


def test_prints_the_sum_and_nothing_else(settings, monkeypatch, capsys):
    broker = Broker({"mails:order.paid": 40, "mails:order.shipped": 2, "others:order.paid": 1000})
    monkeypatch.setattr(pika, "BlockingConnection", broker)
    queue_length.work(settings)
    assert capsys.readouterr().out == "42\n"
    assert broker.nodes == ["a.example:5671", "b.example:5671"] and not broker.is_open


def test_a_queue_that_is_not_there_yet_is_not_zero(settings, monkeypatch, capsys):
    monkeypatch.setattr(pika, "BlockingConnection", Broker({"mails:order.paid": 40}))
    with pytest.raises(Unavailable, match="NOT_FOUND"):
        queue_length.work(settings)
    assert capsys.readouterr().out == ""


def test_no_broker(settings, monkeypatch):
    def refuse(nodes):
        raise exceptions.AMQPConnectionError("refused")

    monkeypatch.setattr(pika, "BlockingConnection", refuse)
    with pytest.raises(Unavailable, match="refused"):
        queue_length.work(settings)
