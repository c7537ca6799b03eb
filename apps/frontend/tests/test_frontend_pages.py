"""Pages, as a browser without JavaScript gets them."""

import re
import uuid

import pytest
from frontend.security import POLICY
from support.browser import ORIGIN, PAGE, PASSWORD, SCRIPT, Browser, field, text
from tandem_common.api import PUBLIC

LANGUAGES = ["en", "ru"]
PRIVATE = ["/en/cart", "/en/checkout", "/en/account/orders"]


@pytest.mark.parametrize(
    ("accepted", "target"), [("ru-RU,ru;q=0.9,en;q=0.8", "ru"), ("de", "en"), ("", "en")]
)
def test_the_root_leads_to_a_language(browser, accepted, target):
    answer = browser.get("/", **{"Accept-Language": accepted})
    assert (answer.status_code, answer.location) == (303, f"/{target}/shop/")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue(browser, language):
    page = browser.get(f"/{language}/shop/")
    assert page.status_code == 200
    assert f'<html lang="{language}">' in page.text
    assert "Enamel mug" in page.text
    assert "First &lt;series&gt;" in page.text
    assert page.text.count('<article class="card') == 12
    other = "en" if language == "ru" else "ru"
    assert f'href="/{other}/shop/"' in page.text
    assert "/static/frontend/picture-lamp.svg" in page.text
    assert "/static/frontend/picture-box.svg" in page.text


def test_pages_of_the_catalogue(browser):
    last = browser.get("/en/shop/?page=3")
    assert last.text.count('<article class="card') == 5
    assert 'href="/ru/shop/?page=3"' in last.text
    assert browser.get("/en/shop/?page=4").status_code == 404
    assert browser.get("/en/shop/?page=nonsense").status_code == 200


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "1 result for “lamp”"), ("ru", "По запросу «lamp» найден 1 товар")]
)
def test_search(browser, language, expected):
    page = browser.get(f"/{language}/shop/?q=lamp")
    assert expected in text(page)
    assert 'value="lamp"' in page.text
    assert "/shop/?q=lamp" in page.text


def test_what_is_searched_for_is_only_text(browser):
    page = browser.get("/en/shop/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%00")
    assert page.status_code == 200
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("path", ["/en/shop/", "/ru/shop/?q=mug", "/en/shop/1"])
def test_public_pages_are_the_same_for_everybody(browser, ann, path):
    mine, theirs = ann.get(path), browser.get(path)
    assert mine.data == theirs.data
    assert mine.headers["Cache-Control"] == PUBLIC
    assert "Set-Cookie" not in mine.headers
    assert "Cookie" not in mine.headers.get("Vary", "")
    again = browser.get(path, **{"If-None-Match": mine.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_public_pages_do_not_touch_a_session(shop, ann):
    ann.forget("__Host-access")
    assert "Set-Cookie" not in ann.get("/en/shop/1").headers
    assert shop.users.count("POST", "/users/refresh") == 0


@pytest.mark.parametrize(
    "path", [*PRIVATE, "/en/account/login", "/en/account/register", "/api/home", "/en/nowhere"]
)
def test_all_else_is_not_kept(ann, path):
    assert ann.get(path).headers["Cache-Control"] == "no-store"


def test_product(browser):
    page = browser.get("/en/shop/3")
    assert "Only 5 left" in text(page)
    assert "Осталось 5 штук" in text(browser.get("/ru/shop/3"))
    assert "Sold out" in text(browser.get("/en/shop/4"))
    assert 'name="product_id"' not in browser.get("/en/shop/4").text
    assert browser.get("/en/shop/999").status_code == 404


@pytest.mark.parametrize("path", PRIVATE)
def test_private_pages_lead_to_the_login_and_back(browser, path):
    answer = browser.get(path)
    assert (answer.status_code, answer.location) == (303, f"/en/account/login?next={path}")


def test_a_stranger_adds_to_the_cart_and_logs_in(app, browser):
    Browser(app).register("old@example.org")
    answer = browser.post("/en/cart/items", product_id=2, quantity=1)
    assert answer.location == "/en/account/login?add=2"
    login = browser.get(answer.location)
    assert field(login, "add") == "2"
    done = browser.post("/en/account/login", email="old@example.org", password=PASSWORD, add="2")
    assert done.location == "/en/cart?done=added"
    assert "Desk lamp" in browser.get(done.location).text


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/en/../../x", ""]
)
def test_login_leads_nowhere_else(app, browser, target):
    Browser(app).register("old@example.org")
    done = browser.post("/en/account/login", email="old@example.org", password=PASSWORD, next=target)
    assert done.location == "/en/shop/"


def test_wrong_login(browser):
    page = browser.post("/en/account/login", email="nobody@example.org", password="wrong")
    assert page.status_code == 422
    assert "Address or password is wrong." in text(page)
    assert field(page, "email") == "nobody@example.org"
    assert "wrong" not in re.findall(r'value="([^"]*)"', page.text)


def test_registration_says_what_is_wrong(ann, app):
    browser = Browser(app)
    empty = browser.post("/ru/account/register", email="x", name="", password="short")
    assert empty.status_code == 422
    for expected in ("Введите имя.", "Введите адрес вида", "Нужно от 8 до 256 символов."):
        assert expected in text(empty)
    assert empty.text.count('aria-invalid="true"') == 3
    taken = browser.post("/en/account/register", email="ann@example.org", name="A", password=PASSWORD)
    assert taken.status_code == 409
    assert "an account with this address already" in text(taken)
    refused = browser.post("/en/account/register", email="a@invalid", name="A", password=PASSWORD)
    assert "Enter an e-mail address" in text(refused)


@pytest.mark.parametrize("language", LANGUAGES)
def test_registration_tells_the_language_of_the_page(shop, browser, language):
    browser.post(f"/{language}/account/register", email="new@example.org", name="N", password=PASSWORD)
    assert shop.accounts["new@example.org"]["language"] == language


def test_registration_of_unknown_outcome(shop, browser):
    form = {"email": "new@example.org", "name": "N", "password": PASSWORD}
    shop.users.vague = 1
    unknown = browser.post("/en/account/register", **form)
    assert unknown.status_code == 503
    assert "We do not know whether the account was made" in text(unknown)
    shop.users.down = True
    assert "The account was not made" in text(browser.post("/en/account/register", **form))


def test_cart(ann):
    ann.post("/en/cart/items", product_id=1, quantity=2)
    ann.post("/en/cart/items", product_id=1, quantity=1)
    ann.post("/en/cart/items", product_id=2)
    page = text(ann.get("/en/cart"))
    assert "₽2,070" in page
    assert "₽6,260.50" in page
    ann.post("/en/cart/items/1", quantity=5)
    assert ann.home()["cart"]["count"] == 6
    assert ann.post("/en/cart/items/1", quantity=5, remove="1").location == "/en/cart?done=removed"
    assert "Removed from your cart." in text(ann.get("/en/cart?done=removed"))
    assert "Enamel mug" not in ann.get("/en/cart").text


@pytest.mark.parametrize("quantity", ["-1", "1.5", "many", "1001", ""])
def test_nonsense_is_not_put_into_the_cart(ann, quantity):
    answer = ann.post("/en/cart/items", product_id=1, quantity=quantity)
    assert answer.location == "/en/cart?problem=quantity"
    assert ann.home()["cart"]["count"] == 0
    script = ann.post("/en/cart/items", headers=SCRIPT, product_id=1, quantity=quantity)
    assert (script.status_code, script.mimetype) == (422, "application/problem+json")


def test_adding_by_script(ann, browser):
    answer = ann.post("/en/cart/items", headers=SCRIPT, product_id=2, quantity=3)
    assert answer.json == {"count": 3, "quantity": 3}
    stranger = browser.post("/en/cart/items", headers=SCRIPT, product_id=2)
    assert (stranger.status_code, stranger.mimetype) == (401, "application/problem+json")


def test_a_product_that_is_gone(shop, ann):
    ann.post("/en/cart/items", product_id=2)
    del shop.products[2]
    page = text(ann.get("/en/cart"))
    assert "Product no. 2" in page
    assert "No longer in the shop" in page


def test_checkout(shop, ann):
    ann.post("/en/cart/items", product_id=1, quantity=2)
    form = ann.get("/en/checkout")
    key = field(form, "key")
    assert uuid.UUID(key)
    done = ann.post("/en/checkout", key=key, note=" evenings\n please ")
    made = next(iter(shop.orders.values()))
    assert done.location == f"/en/account/orders?new={made['id']}#order-{made['id']}"
    assert made["note"] == "evenings please"
    page = text(ann.get(done.location))
    for expected in ("Thank you!", "Placed", "Enamel mug", "₽1,380", "Logged in as Ann", "evenings please"):
        assert expected in page
    again = ann.post("/en/checkout", key=key, note="evenings please")
    assert again.location == done.location
    assert len(shop.orders) == 1


def order(ann):
    """An order that was just placed."""
    ann.post("/en/cart/items", product_id=1)
    answer = ann.post("/en/checkout", key=str(uuid.uuid4()))
    return re.search(r"new=([0-9a-f-]+)", answer.location)[1]


@pytest.mark.parametrize(
    ("step", "final", "english", "russian"),
    [
        (0, False, "Placed", "Оформлен"),
        (1, False, "Paid", "Оплачен"),
        (2, False, "Packed", "Собран"),
        (3, True, "Its number: TND1", "Её номер: TND1"),
        (4, True, "The payment was refused.", "Оплата не прошла."),
    ],
)
def test_how_far_an_order_is(shop, ann, step, final, english, russian):
    made = order(ann)
    shop.selling.step = step
    for language, expected in (("en", english), ("ru", russian)):
        page = ann.get(f"/{language}/account/orders")
        assert expected in text(page)
        assert ("data-states" in page.text, f'data-order="{made}"' in page.text) == (not final, not final)
        assert (f"/{language}/account/orders/{made}/cancel" in page.text) == (step == 0)
        [state] = ann.get(f"/{language}/account/orders/states?page=1").json["orders"]
        assert expected in f"{state['text']} {state['help']}"
        assert (state["id"], state["final"], state["cancellable"]) == (made, final, step == 0)


def test_every_status_has_its_texts():
    from frontend.services import Order
    from frontend.texts import WORDS

    statuses = Order.model_fields["status"].annotation.__args__
    assert len(statuses) == 6
    for words in WORDS.values():
        assert all(words.has(f"status.{name}{more}") for name in statuses for more in ("", "_help"))


def test_states_are_private(app, ann):
    order(ann)
    answer = ann.client.get("/en/account/orders/states", base_url=ORIGIN, headers=SCRIPT)
    assert answer.headers["Cache-Control"] == "no-store"
    stranger = Browser(app).client.get("/en/account/orders/states", base_url=ORIGIN, headers=SCRIPT)
    assert (stranger.status_code, stranger.mimetype) == (401, "application/problem+json")


def test_cancelling(shop, ann):
    made = order(ann)
    for _ in range(2):
        done = ann.post(f"/en/account/orders/{made}/cancel")
        assert done.location == f"/en/account/orders?done=cancelled#order-{made}"
    page = ann.get(done.location)
    assert "The order was cancelled." in text(page)
    assert "data-cancel" not in page.text


def test_cancelling_too_late_or_somebody_else_s(shop, app, ann):
    made = order(ann)
    shop.selling.step = 1
    late = ann.post(f"/en/account/orders/{made}/cancel")
    assert late.location == f"/en/account/orders?problem=too_late#order-{made}"
    assert "can't be cancelled any more" in text(ann.get(late.location))
    shop.selling.step = 0
    other = Browser(app)
    other.register("other@example.org")
    assert "problem=too_late" in other.post(f"/en/account/orders/{made}/cancel").location
    assert text(ann.get("/en/account/orders")).count("Cancelled") == 0
    stranger = Browser(app).post(f"/en/account/orders/{made}/cancel")
    assert stranger.location == "/en/account/login?next=/en/account/orders"


@pytest.mark.parametrize("trouble", [{"vague": 1}, {"down": True}])
def test_cancelling_of_unknown_outcome(shop, ann, trouble):
    made = order(ann)
    for name, value in trouble.items():
        setattr(shop.selling, name, value)
    answer = ann.post(f"/en/account/orders/{made}/cancel")
    assert answer.location == f"/en/account/orders?problem=not_cancelled#order-{made}"


def test_an_order_of_unknown_outcome_is_repeated_with_its_key(shop, ann):
    ann.post("/en/cart/items", product_id=1)
    key = field(ann.get("/en/checkout"), "key")
    shop.selling.vague = 1
    page = ann.post("/en/checkout", key=key, note="n")
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert "We do not know yet whether your order was placed" in text(page)
    assert (field(page, "key"), field(page, "note")) == (key, "n")
    assert ann.post("/en/checkout", key=key, note="n").status_code == 303
    assert len(shop.orders) == 1


def test_silence_is_an_unknown_outcome(shop, ann):
    ann.post("/en/cart/items", product_id=1)
    shop.selling.delay = 0.8
    page = ann.post("/en/checkout", key=str(uuid.uuid4()))
    assert "We do not know yet" in text(page)


def test_an_order_that_was_certainly_not_made(shop, ann):
    ann.post("/en/cart/items", product_id=1)
    key = field(ann.get("/en/checkout"), "key")
    shop.selling.down = True
    page = ann.post("/en/checkout", key=key)
    assert page.status_code == 503
    assert "Your order was not placed" in text(page)
    assert field(page, "key") == key


def test_checkout_of_too_much(shop, ann):
    ann.post("/en/cart/items", product_id=3, quantity=9)
    key = str(uuid.uuid4())
    page = ann.post("/en/checkout", key=key)
    assert page.status_code == 409
    assert "Not enough in stock of Turntable: 5 left" in text(page)
    assert field(page, "key") == key
    assert not shop.orders


def test_other_checkouts(ann):
    assert ann.get("/en/checkout").location == "/en/cart"
    key = str(uuid.uuid4())
    assert ann.post("/en/checkout", key=key).location == "/en/cart?problem=cart_empty"
    ann.post("/en/cart/items", product_id=1)
    assert uuid.UUID(field(ann.post("/en/checkout", key="<wrong>"), "key"))
    ann.post("/en/checkout", key=key, note="a")
    assert (
        ann.post("/en/checkout", key=key, note="b").location == "/en/account/orders?problem=already_ordered"
    )


def test_notices_are_only_ours(ann):
    page = ann.get("/en/cart?done=<script>&problem=nonsense")
    assert "script>&" not in page.text
    assert "nonsense" not in page.text


def test_what_still_works_while_a_service_is_away(shop, ann):
    ann.post("/en/cart/items", product_id=1, quantity=2)
    shop.catalogue.down = True
    cart = ann.get("/en/cart")
    assert cart.status_code == 200
    assert "Product no. 1" in text(cart)
    assert "can't be shown at the moment" in text(cart)
    catalogue = ann.get("/en/shop/")
    assert (catalogue.status_code, catalogue.headers["Cache-Control"]) == (503, "no-store")
    assert "This part of the shop can't be reached" in text(catalogue)
    assert ann.post("/en/checkout", key=str(uuid.uuid4())).status_code == 303
    shop.users.down = True
    orders = ann.get("/en/account/orders")
    assert orders.status_code == 200
    assert "Enamel mug" in text(orders)
    assert "Logged in as" not in text(orders)


@pytest.mark.parametrize(
    ("path", "status"), [("/en/nowhere", 404), ("/favicon.ico", 404), ("/en/cart/items", 405)]
)
def test_errors_are_pages_for_browsers_and_problems_for_programs(browser, path, status):
    page = browser.get(path, **{"X-Request-Id": "abc"})
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert "abc" in text(page)
    assert page.headers["Content-Security-Policy"] == POLICY.format(images="")
    answer = browser.client.get(path, base_url=ORIGIN, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_error_pages_are_in_the_reader_s_language(browser):
    assert "Такой страницы нет" in text(browser.get("/ru/nowhere"))
    assert "Такой страницы нет" in text(browser.get("/nowhere", **{"Accept-Language": "ru"}))


def test_an_unexpected_failure_is_a_page_that_tells_nothing(app, shop, browser):
    shop.products[1] = {"id": "broken", "secret": "s3cret"}
    page = browser.get("/en/shop/1")
    assert page.status_code == 503
    assert "s3cret" not in page.text


@pytest.mark.parametrize("path", ["/en/shop/", "/en/shop/1", "/en/account/login", "/en/nowhere", "/api/docs"])
def test_no_page_has_anything_inline_or_from_elsewhere(browser, path):
    page = browser.get(path)
    assert not re.search(r"<style|\son[a-z]+=|\sstyle=|javascript:", page.text)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", page.text))
    assert set(re.findall(r"https?://[^\"' ]+", page.text)) <= {"http://www.w3.org/2000/svg"}
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://shop.example"},
        {},
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/en/cart/items",
        "/en/account/login",
        "/en/account/logout",
        "/en/checkout",
        f"/en/account/orders/{uuid.UUID(int=1)}/cancel",
    ],
)
def test_writes_from_elsewhere_are_refused(shop, ann, path, headers):
    before = len(shop.selling.seen), len(shop.users.seen)
    answer = ann.post(path, headers={"Accept": PAGE["Accept"], **headers}, product_id=1)
    assert answer.status_code == 403
    assert "Not from this site" in text(answer)
    assert (len(shop.selling.seen), len(shop.users.seen)) == before


def test_an_old_browser_s_own_form_is_accepted(ann):
    headers = {"Accept": PAGE["Accept"], "Origin": ORIGIN}
    assert ann.post("/en/cart/items", headers=headers, product_id=1).status_code == 303
