"""The shop: orders, what becomes of them, money, people."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row
from dashboards.panels import at_least, at_most, series, stacked, stat
from dashboards.promql import answers, rate

ORDERED = 'increase(orders_total{state="created"}[$__range])'


def share(state: str) -> str:
    """Orders that came into this state, by orders that were placed, in the time shown."""
    return f'(sum(increase(orders_total{{state="{state}"}}[$__range])) or vector(0)) / sum({ORDERED})'


def handled(service: str, types: str = ".+") -> str:
    """Events per minute that a service has handled."""
    done = f'events_consumed_total{{service="{service}",type=~"{types}",outcome="done"}}'
    return f"sum by (type) ({rate(done)}) * 60"


def requests(labels: str) -> str:
    """Requests per minute that instances have answered."""
    return f"sum({rate(answers(labels))}) * 60"


TODAY = Row(
    "In the time shown",
    (
        stat(
            "Orders",
            "Placed and acknowledged.",
            units.COUNT,
            Query(f"sum({ORDERED})"),
            links=(names.TO_SERVICES,),
        ),
        stat(
            "Paid",
            "Sum of the orders that were paid.",
            units.ROUBLES,
            Query("sum(increase(orders_revenue_cents_total[$__range])) / 100"),
        ),
        stat(
            "Mean order",
            "Sum by number of paid orders.",
            units.ROUBLES,
            Query(
                "sum(increase(orders_revenue_cents_total[$__range])) / 100"
                ' / sum(increase(orders_total{state="paid"}[$__range]))'
            ),
        ),
        stat(
            "Shipped",
            "By orders placed. Less than all while some are on their way.",
            units.SHARE,
            Query(share("shipped")),
            steps=at_least(0.5, 0.9),
            links=(names.TO_RABBITMQ,),
        ),
        stat(
            "Rejected",
            "By orders placed: sold out, or the payment was refused.",
            units.SHARE,
            Query(share("rejected")),
            steps=at_most(0.1, 0.3),
        ),
        stat(
            "Cancelled",
            "By orders placed; by the buyers.",
            units.SHARE,
            Query(share("cancelled")),
        ),
    ),
)

ORDERS = Row(
    "Orders",
    (
        series(
            "Orders per minute",
            "That came into each state.",
            units.PER_MINUTE,
            Query("sum by (state) (rate(orders_total[$__rate_interval])) * 60", "{{state}}"),
            width=12,
        ),
        series(
            "Money per minute",
            "Of orders that were paid.",
            units.ROUBLES,
            Query("sum(rate(orders_revenue_cents_total[$__rate_interval])) * 60 / 100", "paid"),
            width=12,
        ),
        series(
            "From order to each step",
            "Age of the events by which an order goes on, when they come to order-processing.",
            units.SECONDS,
            Query('max by (type) (event_lag_seconds{service="order-processing"})', "{{type}}"),
            width=12,
            links=(names.TO_RABBITMQ,),
        ),
        stacked(
            "Steps done",
            "Events of orders that order-processing has handled.",
            units.PER_MINUTE,
            Query(
                handled("order-processing"),
                "{{type}}",
            ),
            width=12,
            links=(names.TO_RABBITMQ,),
        ),
    ),
)

PEOPLE = Row(
    "People",
    (
        series(
            "Registrations and logins",
            "As audit has recorded them; one event of failed logins may stand for several.",
            units.PER_MINUTE,
            Query(
                handled("audit-events", "user[.].+"),
                "{{type}}",
            ),
        ),
        series(
            "The way to an order",
            "Pages of the catalogue that the service gave (caches give more), carts changed, checkouts.",
            units.PER_MINUTE,
            Query(
                requests('service="products",method="GET"'),
                "catalogue",
            ),
            Query(
                requests('service="orders",route=~"/cart.*",method!="GET"'),
                "cart",
            ),
            Query(
                requests('service="orders",route="/orders/checkout"'),
                "checkout",
            ),
            links=(names.TO_SERVICES,),
        ),
        series(
            "Messages to buyers",
            "Events that notifications has turned into mails.",
            units.PER_MINUTE,
            Query(
                handled("notifications"),
                "{{type}}",
            ),
            links=(names.TO_RABBITMQ,),
        ),
    ),
)

BOARD = Board(
    names.BUSINESS,
    "Shop",
    "Orders, money and people. What a process did in its last seconds before it died is missing: "
    "the truth is in the databases.",
    (TODAY, ORDERS, PEOPLE),
    span="now-24h",
)
