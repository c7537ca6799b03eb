"""The whole flow over a real broker: order.created in, payment, all events out, mail in a mailbox."""

import importlib.util
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import orders.application
import products.application
import pytest
from orders.settings import OrdersSettings
from products.samples import seed
from products.settings import ProductsSettings
from support.apps import Shopper, empty
from support.processes import Workers
from support.services import served
from support.world import Payments, mailbox
from tandem_common.events import EventData
from tandem_common.events.model import write
from tandem_common.tokens import Issuer

ROOT = Path(__file__).parents[3]
DOMAIN = "tandem.test"
RETRIES = 60
"""The broker of tests waits a quarter of a second at most between them."""


def checker():
    """The offline checker that the platform's own tests use."""
    spec = importlib.util.spec_from_file_location("orderflow", ROOT / "tests" / "support" / "orderflow.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["orderflow"] = module
    spec.loader.exec_module(module)
    return module


ORDERFLOW = checker()


class Registered(EventData):
    """user.registered, as users sends it."""

    type: ClassVar[str] = "user.registered"
    version: ClassVar[int] = 1

    user_id: uuid.UUID
    email: str
    name: str
    language: str


@dataclass
class Platform:
    """All services but users."""

    server: Any
    broker: Any
    workers: Workers
    provider: Payments
    mailbox: Any
    app: Any
    issuer: Issuer
    stock: dict[int, int]

    def shopper(self, language="en"):
        """Somebody who has registered."""
        user_id = uuid.uuid4()
        data = Registered(user_id=user_id, email="ann@example.org", name="Ann", language=language)
        body = write(data, event_id=uuid.uuid4(), source="urn:test", subject=str(user_id), request_id=None)
        with self.broker.channel() as channel:
            channel.basic_publish("user.registered", "", body.encode())
        return Shopper(self.app, self.issuer.issue(user_id))

    def wait_for(self, shopper, *final, seconds=60):
        """Wait until every order of the shopper has one of these states; the orders."""
        deadline = time.monotonic() + seconds
        while True:
            found = shopper.orders()
            if found and all(order["status"] in final for order in found):
                return found
            assert time.monotonic() < deadline, [order["status"] for order in found]
            time.sleep(0.1)

    def quiet(self, seconds=30):
        """Wait until no outbox and no queue has anything left."""
        deadline = time.monotonic() + seconds
        while any(self.unsent().values()) or any(self.queued().values()):
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def unsent(self):
        return {
            name: self.server.execute("select count(*) from outbox", name)[0][0]
            for name in ("orders", "order_processing")
        }

    def queued(self):
        names = [
            name for name in self.broker.plan.queues() if not name.startswith(("audit", "keeper", "watcher"))
        ]
        return {queue: self.broker.count(queue) for name in names for queue in (name, f"{name}:dead")}

    def check(self, acknowledged, shopper):
        """Every contradiction."""
        self.quiet()
        rows = self.server.execute(
            "select order_id from shipments where recalled_at is null", "order_processing"
        )
        put = self.server.execute(
            "select p.id, p.available + coalesce((select sum(i.quantity) from reservation_items i"
            " join reservations r on r.id = i.reservation_id"
            " where i.product_id = p.id and r.status in ('held', 'confirmed')), 0) from products p",
            "products",
        )
        return ORDERFLOW.check(
            acknowledged,
            ORDERFLOW.Found(
                orders={order["id"]: order["status"] for order in shopper.orders()},
                payments=self.provider.made(),
                shipments=[order_id for (order_id,) in rows],
                mails=self.mailbox.mails(),
                unsent=self.unsent(),
                queued=self.queued(),
                stock={product: (int(now), self.stock[product]) for product, now in put},
            ),
        )


@pytest.fixture
def platform(
    server,
    broker,
    provider,
    tmp_path,
    products_database,
    products_settings,
    orders_database,
    orders_settings,
    order_processing_database,
    order_processing_settings,
    notifications_database,
    notifications_settings,
    public_pem,
    private_key,
):
    products_told = ProductsSettings(**products_settings)
    seed(products_told)
    stock = dict(server.execute("select id, available from products", "products"))
    issuer = Issuer(private_key, issuer="tandem-users", audience="tandem-shop", lifetime_seconds=300)
    with (
        served(products.application.create_app(products_told)) as products_url,
        mailbox(tmp_path) as box,
        Workers(tmp_path) as workers,
    ):
        told = {**orders_settings, **broker.settings("orders", retries=RETRIES)}
        workers.start("orders relay", told)
        workers.start("orders consume", told)
        told = {**order_processing_settings, **broker.settings("order-processing", retries=RETRIES)}
        told |= {"products_url": products_url, "payment_url": provider.url, "payment_seconds": 1}
        workers.start("order_processing relay", told)
        workers.start("order_processing consume", told)
        told = {**notifications_settings, **broker.settings("notifications", retries=RETRIES)}
        told |= {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_from": f"shop@{DOMAIN}"}
        workers.start("notifications consume", told)
        settings = OrdersSettings(**orders_settings, jwt_public=public_pem, products_url=products_url)
        app = orders.application.create_app(settings)
        yield Platform(server, broker, workers, provider, box, app, issuer, stock)
        app.extensions["database"].close()
    for name in ("products", "orders", "order_processing", "notifications"):
        empty(server, name)


def insist(ask):
    """The answer, after as many 503 as it takes: on a busy machine the database may be too slow for a moment."""
    for _ in range(20):
        answer = ask()
        if answer.status_code != 503:
            break
        time.sleep(0.5)
    return answer


def order(shopper, product=1, quantity=1):
    """An acknowledged order."""
    key = str(uuid.uuid4())
    assert insist(lambda: shopper.put(product, quantity)).status_code == 200
    answer = insist(lambda: shopper.check_out(key))
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def test_an_order_becomes_a_parcel_and_mails(platform):
    shopper = platform.shopper("ru")
    made = order(shopper, quantity=2)
    [shipped] = platform.wait_for(shopper, "shipped")
    assert platform.check([made], shopper) == []
    assert {mail["message_id"] for mail in platform.mailbox.mails()} == {
        f"<{kind}.{made}@{DOMAIN}>" for kind in ("paid", "shipped")
    }
    assert any(shipped["tracking"] in mail["text"] for mail in platform.mailbox.mails())
    for name in ("orders relay", "orders consume", "order_processing consume", "notifications consume"):
        assert platform.workers.stop(name) == 0, name


def test_refused_payments_and_cancellations_give_everything_back(platform):
    shopper = platform.shopper()
    platform.provider.behave("fail")
    refused = order(shopper)
    platform.wait_for(shopper, "rejected")
    platform.provider.behave("unavailable")
    cancelled = order(shopper)
    assert insist(lambda: shopper.send("POST", f"/orders/{cancelled}/cancel")).status_code == 200
    time.sleep(1)
    platform.provider.behave("normal")
    platform.wait_for(shopper, "rejected", "cancelled")
    assert platform.check([refused, cancelled], shopper) == []
    assert [mail["message_id"] for mail in platform.mailbox.mails()] == [f"<rejected.{refused}@{DOMAIN}>"]
    held = platform.server.execute("select status from reservations", "products")
    assert held == [("returned",)] * 2


@pytest.mark.parametrize("mode", ["twice", "slow"])
def test_nothing_is_lost_or_done_twice_when_workers_are_killed(platform, mode):
    shopper = platform.shopper()
    platform.provider.behave(mode, seconds=1.5)
    made = []
    for number in range(12):
        made.append(order(shopper, product=number % 4 + 1))
        name = ("order_processing consume", "orders relay", "notifications consume", "order_processing relay")
        if number % 2:
            worker = name[number // 2 % 4]
            platform.workers.kill(worker)
            platform.workers.start(worker)
    platform.provider.behave("normal")
    platform.wait_for(shopper, "shipped", seconds=90)
    assert platform.check(made, shopper) == []
    assert len(platform.provider.made()) == len(made)
