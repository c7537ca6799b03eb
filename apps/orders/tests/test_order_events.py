"""The schemas of events: our own as they are kept, and those of others as we read them."""

from hypothesis import given
from hypothesis import strategies as st
from orders.events import HANDLERS, OrderCancelled, OrderCreated
from support.schemas import check_kept, reads, samples


def test_the_kept_document_is_current_for_each_event():
    check_kept("orders", OrderCreated, OrderCancelled)


@given(st.data())
def test_we_read_what_others_send(data):
    for kind, handler in HANDLERS.items():
        reads(handler.data, data.draw(samples("order_processing", kind), label=kind))
