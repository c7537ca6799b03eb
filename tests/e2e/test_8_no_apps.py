"""Every app host of both sites is dead: the catalogue is still there, quickly; what needs a service says so."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

APP_HOSTS = ["msk-app1", "msk-app2", "spb-app1"]
EDGES = ["msk-edge1", "msk-edge2", "spb-edge1"]
PAGES = ["/en/shop/", "/ru/shop/", "/en/shop/1", "/products/?size=5", "/products/1"]
QUICK_SECONDS = 1.0


@pytest.fixture
def dead(lab, browser):
    """The edges' addresses, after all app hosts lost their power."""
    addresses = [lab.env()["hosts"][edge]["address"] for edge in EDGES]
    for address in addresses:
        for page in PAGES:
            assert browser(address).ask("GET", page).status == 200
    with ThreadPoolExecutor() as pool:
        list(pool.map(lab.kill, APP_HOSTS))
    time.sleep(4)  # until what was kept is old
    yield addresses
    with ThreadPoolExecutor() as pool:
        list(pool.map(lab.boot, APP_HOSTS))
    for host in APP_HOSTS:
        lab.wait(host)


def test_the_catalogue_is_readable(browser, dead):
    slow = {}
    for address in dead:
        shop = browser(address)
        for page in PAGES * 3:
            started = time.monotonic()
            answer = shop.ask("GET", page)
            took = time.monotonic() - started
            assert answer.status == 200, (address, page, answer)
            assert answer.headers["x-cache"] in ("STALE", "UPDATING", "HIT"), answer.headers
            if took > QUICK_SECONDS:
                slow[address, page] = took
        refused = shop.ask("POST", "/users/login", {"email": "a@example.org", "password": "x" * 12})
        assert refused.status == 503, refused
        assert "retry-after" in refused.headers
    assert not slow, slow
