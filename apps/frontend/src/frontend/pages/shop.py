"""The catalogue: pages that are the same for everybody, so that the edge may keep them."""

from flask import Blueprint, Response, render_template, request
from tandem_common.problems import NotFound

from frontend.pages.request import backend, line, page_number, public

PAGE_SIZE = 12
MAX_SEARCH = 100


def declare(blueprint: Blueprint) -> None:
    """Add the catalogue."""

    @blueprint.get("/shop/")
    def catalogue() -> Response:
        text, page = line(request.args.get("q"), MAX_SEARCH), page_number()
        found = backend().products.page(page, PAGE_SIZE, text)
        if page > 1 and not found.items:
            raise NotFound(f"There is no page {page}.")
        pages = max(1, -(-found.total // PAGE_SIZE))
        return public(render_template("shop.html", found=found, search=text, page=page, pages=pages))

    @blueprint.get("/shop/<int:product_id>")
    def product(product_id: int) -> Response:
        return public(render_template("product.html", product=backend().products.get(product_id)))
