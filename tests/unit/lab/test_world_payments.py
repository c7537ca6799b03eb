"""The lab's payment provider: one payment per key, whatever it is told to do."""

import http.client
import json
import threading
import time

import pytest

from lab.world.payments import serve


class Client:
    """Requests to a provider."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, key=None, timeout=5.0):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Idempotency-Key": key} if key else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def pay(self, key, order_id="o1", amount=100, **more):
        return self.ask(
            "POST", "/payments", {"order_id": order_id, "amount": amount, "currency": "RUB"}, key, **more
        )

    def payments(self):
        return self.ask("GET", "/payments")[1]["payments"]

    def behave(self, mode, **more):
        assert self.ask("POST", "/mode", {"mode": mode, **more})[0] == 200


@pytest.fixture
def start(tmp_path):
    servers = []

    def start():
        server = serve("127.0.0.1", 0, str(tmp_path / "payments.sqlite"))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return Client(server.server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def provider(start):
    return start()


def test_the_same_key_pays_once(provider):
    status, first = provider.pay("k1")
    assert (status, first["status"], first["order_id"]) == (201, "accepted", "o1")
    assert provider.pay("k1") == (200, first)
    assert provider.pay("k2")[1]["id"] != first["id"]
    assert [(one["key"], one["requests"]) for one in provider.payments()] == [("k1", 2), ("k2", 1)]


def test_many_requests_at_once_pay_once(provider):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(provider.pay("k")[1]["id"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert [one["requests"] for one in provider.payments()] == [8]


def test_keys_outlive_the_process(start):
    first = start().pay("k")[1]
    assert start().pay("k") == (200, first)


def test_a_key_belongs_to_one_payment(provider):
    provider.pay("k")
    assert provider.pay("k", amount=101)[0] == 422
    assert provider.pay("k", order_id="o2")[0] == 422


def test_refusals_stay_refusals(provider):
    provider.behave("fail")
    status, answer = provider.pay("k")
    assert (status, answer["status"], answer["reason"]) == (201, "refused", "card declined")
    provider.behave("normal")
    assert provider.pay("k")[1]["status"] == "refused"
    assert provider.ask("POST", "/refunds", {"payment_id": answer["id"]}, "r")[0] == 404


def test_a_slow_payment_is_made_although_nobody_waited(provider):
    provider.behave("slow", seconds=1)
    with pytest.raises(TimeoutError):
        provider.pay("k", timeout=0.2)
    started = time.monotonic()
    assert provider.pay("k")[0] == 200
    assert time.monotonic() - started < 0.9
    assert len(provider.payments()) == 1


def test_unavailable_does_nothing(provider):
    provider.behave("unavailable")
    assert provider.pay("k")[0] == 503
    assert provider.payments() == []


def test_answers_twice_on_one_connection(provider):
    provider.behave("twice")
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=5)
    ids = []
    for order in ("o1", "o2"):
        body = json.dumps({"order_id": order, "amount": 1, "currency": "RUB"})
        connection.request("POST", "/payments", body, {"Idempotency-Key": order})
        ids.append(json.loads(connection.getresponse().read())["order_id"])
    connection.close()
    assert ids == ["o1", "o1"], "who keeps the connection gets the first answer again"
    assert len(provider.payments()) == 2


def test_refunds(provider):
    payment = provider.pay("k")[1]["id"]
    status, first = provider.ask("POST", "/refunds", {"payment_id": payment}, "r")
    assert (status, first["payment_id"]) == (201, payment)
    assert provider.ask("POST", "/refunds", {"payment_id": payment}, "r") == (200, first)
    assert provider.ask("POST", "/refunds", {"payment_id": payment}, "other")[0] == 409
    assert provider.ask("POST", "/refunds", {"payment_id": "x"}, "r")[0] == 422
    assert [one["refund_id"] for one in provider.payments()] == [first["id"]]


@pytest.mark.parametrize(
    ("path", "body", "key", "status"),
    [
        ("/payments", {"order_id": "o", "amount": 1, "currency": "RUB"}, None, 400),
        ("/payments", {"order_id": "o", "amount": -1, "currency": "RUB"}, "k", 422),
        ("/payments", {"order_id": "o", "amount": True, "currency": "RUB"}, "k", 422),
        ("/payments", {"amount": 1, "currency": "RUB"}, "k", 422),
        ("/payments", [], "k", 422),
        ("/payments", None, "k", 400),
        ("/mode", {"mode": "angry"}, None, 422),
        ("/nowhere", {}, "k", 404),
    ],
)
def test_wrong_requests(provider, path, body, key, status):
    assert provider.ask("POST", path, body, key)[0] == status
    assert provider.payments() == []
