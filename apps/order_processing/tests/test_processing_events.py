"""The schemas of events: our own as they are kept, and those of others as we read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_processing.events import (
    Cancelled,
    Created,
    OrderPacked,
    OrderPaid,
    OrderRejected,
    OrderShipped,
    Step,
)
from support.schemas import compare_schema, samples


@pytest.mark.parametrize("event", [OrderPaid, OrderPacked, OrderShipped, OrderRejected])
def test_the_kept_schemas_are_current(event):
    compare_schema("order_processing", event)


@pytest.mark.parametrize(
    ("app", "kind", "model"),
    [
        ("orders", "order.created", Created),
        ("orders", "order.cancelled", Cancelled),
        ("order_processing", "order.paid", Step),
        ("order_processing", "order.packed", Step),
    ],
)
def test_we_read_what_is_sent(app, kind, model):
    @given(st.data())
    def check(data):
        model.model_validate(data.draw(samples(app, kind)))

    check()
