"""The schemas of events: our own as they are kept, and those of others as we read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.events import HANDLERS, OrderCancelled, OrderCreated
from support.schemas import compare_schema, samples


@pytest.mark.parametrize("event", [OrderCreated, OrderCancelled])
def test_the_kept_schemas_are_current(event):
    compare_schema("orders", event)


@given(st.data())
def test_we_read_what_others_send(data):
    for kind, handler in HANDLERS.items():
        handler.data.model_validate(data.draw(samples("order_processing", kind), label=kind))
