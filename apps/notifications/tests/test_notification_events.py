"""The schemas of others' events as we read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifications.events import Paid, Registered, Rejected, Shipped
from support.schemas import samples


@pytest.mark.parametrize(
    ("app", "kind", "model"),
    [
        ("order_processing", "order.paid", Paid),
        ("order_processing", "order.shipped", Shipped),
        ("order_processing", "order.rejected", Rejected),
        ("users", "user.registered", Registered),
    ],
)
def test_we_read_what_is_sent(app, kind, model):
    @given(st.data())
    def check(data):
        model.model_validate(data.draw(samples(app, kind)))

    check()
