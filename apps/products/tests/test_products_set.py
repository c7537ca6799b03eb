"""The command that changes a product."""

import sys

import pytest
from products.commands import main
from products.samples import read, seed
from support.postgres import PASSWORD
from tandem_common.settings import DatabaseSettings

SKU = "T-1040"
"""Five pieces in stock, 49,900.00 roubles."""


@pytest.fixture
def command(client, products_settings, monkeypatch, capsys):
    """Run `products …` in this process: its exit status and what it printed."""
    monkeypatch.setenv("DATABASE_DSN", products_settings["database_dsn"])
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["products", *arguments])
        try:
            status = main()
        except SystemExit as error:  # argparse's own refusals
            status = error.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def product(client):
    """What buyers see of the product."""
    return lambda: client.get("/products/40").json


def test_set_changes_what_is_given(command, product):
    before = product()
    more = ["--name", " Turntable ", "--price", "4490000", "--stock", "+7", "--picture", "lamp"]
    status, printed, _ = command("set", SKU, *more)
    assert status == 0
    assert '"available": 12' in printed
    assert product() == {
        **before,
        "name": "Turntable",
        "price": {"amount": 4490000, "currency": "RUB"},
        "available": 12,
        "picture": "lamp",
    }
    assert command("set", SKU, "--stock=-12", "--description", "Gone", "--category", "other")[0] == 0
    assert (product()["available"], product()["description"], product()["category"]) == (0, "Gone", "other")


def test_set_without_changes_shows(command, product):
    before = product()
    status, printed, _ = command("set", SKU)
    assert status == 0
    assert '"amount": 4990000' in printed
    assert product() == before


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["T-9999", "--price", "1"], 65, "no product T-9999"),
        ([SKU, "--stock=-6"], 65, "5 available"),
        ([SKU, "--stock", "+2147483643"], 65, "5 available"),
        ([SKU, "--stock", "5"], 65, "sign"),
        ([SKU, "--stock", "+x"], 65, "stock"),
        ([SKU, "--stock", "+" + "9" * 30], 65, "stock"),
        ([SKU, "--price=-1"], 65, "price"),
        ([SKU, "--price", "1e3"], 2, "--price"),
        ([SKU, "--name", " "], 65, "name"),
        ([SKU, "--name", "a\tb"], 65, "control characters"),
        ([SKU, "--picture", "elephant"], 2, "teapot"),
        ([SKU, "--category", "elephants"], 2, "kitchen"),
        ([], 2, "SKU"),
    ],
)
def test_set_refuses(command, product, arguments, status, told):
    before = product()
    done, _, errors = command("set", *arguments)
    assert (done, told in errors) == (status, True), errors
    assert product() == before


def test_set_says_that_its_outcome_is_unknown(command, server, monkeypatch):
    """Not to be repeated unseen: an addition would count twice."""
    monkeypatch.setenv("COMMIT_WAIT_SECONDS", "0.5")
    server.require_missing_standby(True)
    try:
        status, _, errors = command("set", SKU, "--stock", "+1")
    finally:
        server.require_missing_standby(False)
    assert status == 75
    assert f"look with `products set {SKU}`" in errors


def test_products_that_are_older_than_categories(client, server, products_settings):
    """As migration 0002 leaves them: seeding again sorts the samples in, and nothing else."""
    server.execute(
        "update products set category = 'other', picture = 'box', name = 'Mine' where id in (1, 40)",
        "products",
    )
    server.execute("update products set picture = 'bag' where id = 2", "products")
    seed(DatabaseSettings(**products_settings))
    rows = server.execute(
        "select id, category, picture, name from products where id in (1, 2, 40) order by id", "products"
    )
    assert rows == [
        (1, "coffee", "cup", "Mine"),
        (2, "coffee", "bag", read()[1]["name"]),
        (40, "leisure", "record", "Mine"),
    ]
