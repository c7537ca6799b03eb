"""Cookies and tokens."""

import threading

from support.browser import PASSWORD, SCRIPT, Browser, field


def cookies(answer) -> dict[str, str]:
    return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}


def test_cookies(app):
    set_ = cookies(Browser(app).register("ann@example.org"))
    assert set_.keys() == {"__Host-access", "__Host-refresh"}
    for line in set_.values():
        for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
            assert part in line
        assert "Domain" not in line
    assert "Max-Age=270;" in set_["__Host-access"]
    assert "Max-Age=2592000;" in set_["__Host-refresh"]


def test_short_tokens_are_not_thrown_away_at_once(shop, app):
    shop.users.lifetime = 40
    assert "Max-Age=20;" in cookies(Browser(app).register("ann@example.org"))["__Host-access"]


def test_tokens_are_renewed_before_they_expire(shop, ann):
    old = ann.cookie("__Host-refresh")
    ann.forget("__Host-access")
    assert ann.get("/en/cart").status_code == 200
    assert ann.cookie("__Host-access")
    assert ann.cookie("__Host-refresh") != old
    ann.get("/en/cart")
    assert shop.users.count("POST", "/users/refresh") == 1


def test_a_refused_token_is_replaced_once_for_all_parts(shop, ann):
    shop.access_tokens.clear()
    home = ann.home()
    assert (home["me"]["name"], home["problems"]) == ("Ann", [])
    assert shop.users.count("POST", "/users/refresh") == 1


def test_the_session_ends_when_nothing_counts_any_more(shop, ann):
    shop.access_tokens.clear()
    shop.refresh_tokens.clear()
    answer = ann.get("/en/cart")
    assert answer.location == "/en/account/login?next=/en/cart"
    assert ann.cookie("__Host-access") is None
    assert ann.cookie("__Host-refresh") is None


def test_the_session_survives_an_outage(shop, ann):
    ann.forget("__Host-access")
    shop.users.down = True
    assert ann.get("/en/cart").status_code == 503
    assert ann.cookie("__Host-refresh")
    shop.users.down = False
    assert ann.get("/en/cart").status_code == 200


def test_logout(shop, ann):
    assert ann.post("/en/account/logout").location == "/en/account/login?done=logged_out"
    assert not shop.refresh_tokens
    assert ann.get("/en/cart").status_code == 303


def test_logout_during_an_outage_is_honest(shop, ann):
    shop.users.down = True
    assert ann.post("/en/account/logout").location == "/en/account/login?done=logged_out_here"
    assert ann.cookie("__Host-refresh") is None


def test_looking_at_the_login_changes_nothing(ann):
    """A link from elsewhere must not fill anybody's cart."""
    assert ann.get("/en/account/login?add=2").location == "/en/shop/2"
    assert ann.get("/en/account/register?add=2&next=/en/cart").location == "/en/shop/2"
    assert ann.home()["cart"]["count"] == 0


def test_an_order_keeps_its_key_over_a_login(shop, ann):
    ann.post("/en/cart/items", product_id=1)
    key = field(ann.get("/en/checkout"), "key")
    shop.selling.vague = 1
    assert ann.post("/en/checkout", key=key).status_code == 503
    shop.access_tokens.clear()
    shop.refresh_tokens.clear()
    login = ann.post("/en/checkout", key=key)
    assert login.location == f"/en/account/login?next=/en/checkout?key%3D{key}"
    form = ann.get(login.location)
    done = ann.post("/en/account/login", email="ann@example.org", password=PASSWORD, next=field(form, "next"))
    assert done.location == f"/en/checkout?key={key}"
    # The order had been made, so there is nothing left to order.
    assert ann.get(done.location).location == "/en/account/orders"
    ann.post("/en/cart/items", product_id=2)
    assert field(ann.get(done.location), "key") == key


def test_people_are_kept_apart(app, ann):
    bob = Browser(app)
    bob.register("bob@example.org", "Bob")
    ann.post("/en/cart/items", product_id=1)
    assert (ann.home()["me"]["name"], bob.home()["me"]["name"]) == ("Ann", "Bob")
    assert (ann.home()["cart"]["count"], bob.home()["cart"]["count"]) == (1, 0)


def test_many_at_once(app, ann):
    """Threads of one process never mix people up."""
    people = [Browser(app) for _ in range(4)]
    for number, person in enumerate(people):
        person.register(f"{number}@example.org", f"Person {number}")
    wrong = []

    def look(number: int) -> None:
        for _ in range(5):
            answer = people[number].client.get(
                "/api/home?parts=me", base_url="https://shop.example", headers=SCRIPT
            )
            if answer.json["me"] and answer.json["me"]["name"] != f"Person {number}":
                wrong.append(answer.json)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
