"""The daily digest."""

from datetime import UTC, date, datetime, timedelta

import pytest
from notifications import digest
from notifications.commands import send_digest
from notifications.senders import Smtp
from support.desk import DOMAIN, step
from tandem_common.problems import InvalidInput, Unavailable

DAY = date(2026, 11, 24)


@pytest.fixture
def orders(desk):
    """Yesterday two paid (one in euro), one shipped; one paid today."""
    user_id = desk.user()
    first, second, late = (step(user_id, amount=amount) for amount in (138000, 1999, 500))
    desk.tell("order.paid", first)
    desk.tell("order.shipped", first)
    desk.tell("order.paid", {**second, "currency": "EUR"})
    desk.tell("order.paid", late)
    desk.rows("update order_steps set at = '2026-11-24T23:59:59.9Z' where amount <> 500")
    desk.rows("update order_steps set at = '2026-11-25T00:00:00Z' where amount = 500")


def send(desk, day=DAY, language="en"):
    return digest.send(desk.database, Smtp(desk.settings), "ops@tandem.test", language, DOMAIN, day)


def digests(desk):
    return [mail for mail in desk.mailbox.mails() if mail["message_id"].startswith("<digest")]


def test_a_day_s_orders(desk, orders):
    assert send(desk)
    [mail] = digests(desk)
    assert mail["message_id"] == "<digest.2026-11-24@tandem.test>"
    assert mail["recipients"] == ["ops@tandem.test"]
    assert mail["subject"] == "Orders of November 24, 2026"
    text = mail["text"].replace("\xa0", " ")
    for line in ("Paid: 2 (€19.99 + ₽1,380.00)", "Shipped: 1 (₽1,380.00)", "Rejected: 0"):
        assert line in text


def test_once_a_day(desk, orders):
    assert send(desk)
    assert not send(desk)
    assert send(desk, date(2026, 11, 25))
    assert len(digests(desk)) == 2


def test_an_empty_day_in_russian(desk):
    assert send(desk, language="ru")
    [mail] = digests(desk)
    assert mail["subject"].startswith("Заказы за 24 ноября 2026")
    assert "Оплачено: 0" in mail["text"]


def test_a_digest_that_could_not_be_sent_is_sent_later(desk):
    desk.mailbox.behave("unavailable")
    with pytest.raises(Unavailable):
        send(desk)
    desk.mailbox.behave("normal")
    assert send(desk)


def test_the_command_sends_yesterday_s(desk):
    settings = desk.settings.model_copy(update={"digest_to": "ops@tandem.test"})
    for _ in range(2):
        send_digest(settings, day=None)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert [mail["message_id"] for mail in digests(desk)] == [f"<digest.{yesterday}@tandem.test>"]
    desk.mailbox.behave("refuse")
    with pytest.raises(InvalidInput) as refused:
        send_digest(settings, day=date(2026, 1, 2))
    assert "550" in refused.value.errors[0].reason


def test_a_digest_for_nobody_is_refused(desk):
    with pytest.raises(InvalidInput) as refused:
        send_digest(desk.settings, day=None)
    assert refused.value.errors[0].field == "DIGEST_TO"
