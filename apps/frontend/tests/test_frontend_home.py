"""GET /api/home."""

import pytest
from support.browser import ORIGIN
from support.things import Stopwatch


def test_a_stranger_gets_what_is_everybody_s(shop, browser):
    home = browser.home()
    assert (home["me"], home["cart"], home["orders"], home["problems"]) == (None, None, None, [])
    assert 0 < len(home["recommendations"]) <= 4
    assert all(product["available"] for product in home["recommendations"])
    assert not shop.users.seen
    assert not shop.selling.seen


def test_all_parts(ann):
    ann.post("/en/cart/items", product_id=1, quantity=2)
    home = ann.home()
    assert home["me"] == {"name": "Ann", "email": "ann@example.org", "admin": False}
    assert home["cart"] == {"items": [{"product_id": 1, "quantity": 2}], "count": 2}
    assert home["orders"] == []
    assert home["problems"] == []


def test_some_parts(shop, ann):
    home = ann.home("?parts=me,cart")
    assert home["me"]
    assert home["recommendations"] is None
    assert not shop.catalogue.seen
    answer = ann.client.get("/api/home?parts=nonsense", base_url=ORIGIN)
    assert answer.status_code == 422


def test_parts_are_asked_for_at_the_same_time(shop, ann):
    for service in shop.services:
        service.delay = 0.3
    clock = Stopwatch()
    home = ann.home()
    assert home["problems"] == []
    assert clock.seconds < 0.55


@pytest.mark.parametrize(
    ("service", "missing"),
    [("users", {"me"}), ("catalogue", {"recommendations"}), ("selling", {"cart", "orders"})],
)
def test_each_part_fails_alone(shop, ann, service, missing):
    getattr(shop, service).down = True
    home = ann.home()
    assert {problem["part"] for problem in home["problems"]} == missing
    assert {part for part in ("me", "cart", "recommendations", "orders") if home[part] is None} == missing


def test_a_slow_part_is_left_out(shop, ann):
    shop.selling.delay = 2
    clock = Stopwatch()
    home = ann.home()
    assert clock.seconds < 1.2
    assert {problem["part"] for problem in home["problems"]} == {"cart", "orders"}
    assert home["me"]
    assert home["recommendations"]


def test_tokens_that_can_not_be_renewed_now(shop, ann):
    ann.forget("__Host-access")
    shop.users.down = True
    home = ann.home()
    assert {problem["part"] for problem in home["problems"]} == {"me", "cart", "orders"}
    assert home["recommendations"]


def test_a_program_s_own_token(shop, ann, browser):
    token = ann.cookie("__Host-access")
    answer = browser.client.get("/api/home", base_url=ORIGIN, headers={"Authorization": f"Bearer {token}"})
    assert answer.json["me"]["name"] == "Ann"
    refused = browser.client.get("/api/home", base_url=ORIGIN, headers={"Authorization": "Bearer nonsense"})
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert "Set-Cookie" not in refused.headers


def test_calls_carry_the_request_s_id(shop, ann):
    ann.client.get("/api/home", base_url=ORIGIN, headers={"X-Request-Id": "abc"})
    ids = [headers["X-Request-Id"] for fake in shop.services for _, _, headers in fake.seen[-1:]]
    assert ids == ["abc"] * 3
