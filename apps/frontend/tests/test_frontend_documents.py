"""The merged OpenAPI document and its viewer."""

import copy
import json

import pytest
from frontend import documents
from frontend.documents import merge
from support.browser import ORIGIN
from support.openapi import APPS, compare

INFO = {"title": "Shop", "version": "1", "description": ""}


def document(**schemas):
    use = {"$ref": f"#/components/schemas/{next(iter(schemas))}"}
    operation = {
        "operationId": "get",
        "security": [{"token": []}],
        "responses": {"200": {"content": {"application/json": {"schema": use}}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1", "description": "About."},
        "paths": {},
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http"}}},
        "x": operation,
    }


def with_path(path, **schemas):
    made = document(**schemas)
    made["paths"] = {path: {"get": made.pop("x")}}
    return made


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_equal_components_stay_one_and_others_are_renamed():
    inner = {"$ref": "#/components/schemas/Inner"}
    first = with_path(
        "/a", Outer={"properties": {"inner": inner}}, Inner={"type": "string"}, Same={"type": "null"}
    )
    second = with_path(
        "/b", Outer={"properties": {"inner": inner}}, Inner={"type": "integer"}, Same={"type": "null"}
    )
    merged = merge({"one": first, "two": second}, INFO)
    # Outer reads the same in both, but means another Inner.
    assert merged["components"]["schemas"].keys() == {
        "one_Outer",
        "two_Outer",
        "one_Inner",
        "two_Inner",
        "Same",
    }
    used = merged["paths"]["/b"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert used == "#/components/schemas/two_Outer"
    assert merged["components"]["schemas"]["two_Outer"]["properties"]["inner"]["$ref"].endswith("/two_Inner")
    assert merged["components"]["securitySchemes"].keys() == {"token"}


def test_security_schemes_that_differ_are_renamed_where_they_are_used():
    first, second = with_path("/a", A={"type": "null"}), with_path("/b", B={"type": "null"})
    second["components"]["securitySchemes"]["token"] = {"type": "apiKey"}
    merged = merge({"one": first, "two": second}, INFO)
    assert merged["paths"]["/b"]["get"]["security"] == [{"two_token": []}]
    assert merged["components"]["securitySchemes"].keys() == {"one_token", "two_token"}


def test_merging_leaves_the_documents_alone():
    first, second = with_path("/a", A={"type": "null"}), with_path("/b", A={"type": "string"})
    before = copy.deepcopy((first, second))
    merge({"one": first, "two": second}, INFO)
    assert (first, second) == before


def test_operations_have_ids_and_tags_of_their_service():
    merged = merge({"one": with_path("/a", A={}), "two": with_path("/b", A={})}, INFO)
    assert merged["paths"]["/a"]["get"]["operationId"] == "one_get"
    assert merged["paths"]["/b"]["get"]["tags"] == ["two"]
    assert [tag["name"] for tag in merged["tags"]] == ["one", "two"]


def test_the_real_documents_merge_without_loose_ends():
    names = ("users", "products", "orders", "audit", "frontend")
    documents_ = {name: json.loads((APPS / name / "openapi.json").read_text()) for name in names}
    merged = merge(documents_, INFO)
    for reference in references(merged):
        _, _, kind, name = reference.split("/")
        assert name in merged["components"][kind]
    ids = [operation["operationId"] for item in merged["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    assert {"/users/login", "/products/", "/orders/checkout", "/api/home"} <= merged["paths"].keys()


@pytest.fixture
def served(browser):
    return lambda: browser.client.get("/api/openapi.json", base_url=ORIGIN).json


def test_the_served_document(shop, served):
    found = served()
    assert {"/users/login", "/products/", "/cart", "/api/home"} <= found["paths"].keys()
    assert "Same" in found["components"]["schemas"]
    assert {"users_Thing", "products_Thing", "orders_Thing"} <= found["components"]["schemas"].keys()
    served()
    assert [fake.count("GET", f"/{fake.name}/openapi.json") for fake in shop.services] == [1, 1, 1, 1]


def test_the_last_good_copy_is_kept(shop, served, monkeypatch):
    monkeypatch.setattr(documents, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(documents, "RETRY_SECONDS", 0.0)
    served()
    shop.selling.down = True
    found = served()
    assert "/cart" in found["paths"]
    assert "Missing" not in found["info"]["description"]
    assert shop.selling.count("GET", "/orders/openapi.json") == 2


def test_a_document_that_never_came_is_named(shop, served, monkeypatch):
    monkeypatch.setattr(documents, "RETRY_SECONDS", 0.0)
    shop.selling.down = True
    found = served()
    assert "/cart" not in found["paths"]
    assert "/users/login" in found["paths"]
    assert "Missing at the moment: orders." in found["info"]["description"]
    shop.selling.down = False
    assert "/cart" in served()["paths"]


def test_the_viewer_is_served_by_ourselves(browser):
    page = browser.get("/api/docs")
    assert page.status_code == 200
    assert 'data-document="/api/openapi.json"' in page.text
    assert "/static/frontend/docs.js" in page.text


def test_the_kept_document_is_current(app):
    compare(app.extensions["document"], "frontend")
