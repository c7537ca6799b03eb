"""The schemas of others' events as we read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifications.events import Paid, Rejected, Shipped
from support.schemas import samples


@pytest.mark.parametrize(
    ("kind", "model"), [("order.paid", Paid), ("order.shipped", Shipped), ("order.rejected", Rejected)]
)
def test_we_read_what_is_sent(kind, model):
    @given(st.data())
    def check(data):
        model.model_validate(data.draw(samples("order_processing", kind)))

    check()
