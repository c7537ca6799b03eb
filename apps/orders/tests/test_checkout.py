"""Checkout: one order per key."""


def test_cart_to_order(shopper):
    assert shopper.put(1, 2).json == {"items": [{"product_id": 1, "quantity": 2}]}
    shopper.put(3)
    answer = shopper.check_out("key-1")
    assert answer.status_code == 201, answer.text
    assert answer.json["total"] == {"amount": 2 * 69000 + 219000, "currency": "RUB"}
    assert answer.json["status"] == "placed"
    assert shopper.send("GET", "/cart").json == {"items": []}
    assert [order["id"] for order in shopper.orders()] == [answer.json["id"]]


def test_same_key_same_answer(shopper):
    shopper.put(1)
    first = shopper.check_out("key-1")
    shopper.put(2)
    again = shopper.check_out("key-1")
    assert (again.status_code, again.data) == (201, first.data)
    assert len(shopper.orders()) == 1
    assert shopper.send("GET", "/cart").json["items"], "the new cart was ordered by a repetition"
