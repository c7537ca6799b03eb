"""What the edges keep, and that nothing private is ever among it."""

import itertools
import uuid
from dataclasses import dataclass

import pytest

from tests.support.playbook import playbook
from tests.support.shop import PASSWORD, Browser, logged_in

EDGES = ["msk-edge1", "msk-edge2", "spb-edge1"]
PUBLIC = ["/products/?size=3", "/products/1", "/en/shop/", "/ru/shop/?q=coffee", "/en/shop/1"]
PRIVATE = ["/users/me", "/cart", "/orders", "/api/home", "/en/cart", "/ru/account/orders", "/en/checkout"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]


@pytest.fixture(params=EDGES)
def edge(request, lab):
    return lab.env()["hosts"][request.param]["address"]


def test_public_answers_are_kept(browser, edge):
    shop = browser(edge)
    for path in PUBLIC:
        path += f"{'&' if '?' in path else '?'}run={uuid.uuid4().hex}"
        first, second = shop.ask("GET", path), shop.ask("GET", path)
        assert (first.status, first.headers["x-cache"]) == (200, "MISS"), (path, first)
        assert (second.headers["x-cache"], second.text) == ("HIT", first.text), path
        assert "edge;dur=" in second.headers["server-timing"]
        assert "s-maxage" in second.headers["cache-control"]


def page_session(shop, name="Olga"):
    """Log a new person in on the pages, as a browser does; returns their cookies and e-mail address."""
    email = f"{uuid.uuid4().hex[:10]}@example.org"
    body = f"name={name}&email={email.replace('@', '%40')}&password={PASSWORD.replace(' ', '+')}"
    answer = shop.ask(
        "POST",
        "/en/account/register",
        data=body,
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="same-origin",
    )
    assert answer.status == 303, answer
    assert answer.cookies, answer
    return "; ".join(answer.cookies), email


@dataclass
class Person:
    """Somebody with a token for the services and cookies for the pages, and all that only they may see."""

    shop: Browser
    cookies: str
    private: set[str]


def person(browser, edge, name):
    shop = browser(edge)
    email = logged_in(shop, name)
    cookies, page_email = page_session(browser(edge), name)
    return Person(shop, cookies, {name, email, page_email})


def test_two_people_never_see_each_others_data(lab, browser):
    """The same paths by two people, by token and by cookie, in turn and with every method."""
    edge = lab.env()["hosts"]["msk-edge1"]["address"]
    boris, wanda = (person(browser, edge, name) for name in ("Boris", "Wanda"))
    for method, path in itertools.product(METHODS, [*PUBLIC, *PRIVATE]):
        for me, other in ((boris, wanda), (wanda, boris)):
            answer = me.shop.ask(method, path, Cookie=me.cookies, Sec_Fetch_Site="same-origin")
            assert answer.status != 0, (method, path, answer)
            assert not [text for text in other.private if text in answer.text], (method, path)
            if path in PRIVATE:
                assert answer.headers["x-cache"] == "-", (method, path, answer.headers)
                assert "no-store" in answer.headers["cache-control"], (method, path, answer.headers)
    for path in ("/users/me", "/en/account/orders"):
        mine = boris.shop.ask("GET", path, Cookie=boris.cookies).text
        assert "Boris" in mine, "the test must be able to see what it looks for"


def test_public_pages_are_the_same_bytes_for_everybody(browser, edge):
    cookie, email = page_session(browser(edge))
    path = f"/en/shop/?run={uuid.uuid4().hex}"
    known = browser(edge).ask("GET", path, Cookie=cookie)
    stranger = browser(edge).ask("GET", path)
    assert known.headers["x-cache"] == "MISS"
    assert stranger.text == known.text
    assert email not in known.text
    assert "set-cookie" not in known.headers


def test_purge_by_playbook(browser, edge):
    shop = browser(edge)
    path = f"/products/?size=2&run={uuid.uuid4().hex}"
    shop.ask("GET", path)
    assert shop.ask("GET", path).headers["x-cache"] in ("HIT", "STALE", "UPDATING")
    run = playbook("playbooks/cache_purge.yml", "-e", "path=/products/")
    assert run.rc == 0, run.output[-3000:]
    assert shop.ask("GET", path).headers["x-cache"] == "MISS"
