"""Making an account, logging in and out."""

from dataclasses import dataclass, field

from flask import Blueprint, redirect, render_template, request, url_for
from tandem_common.calls import CallFailed
from tandem_common.problems import ProblemError, Unavailable
from werkzeug.wrappers import Response

from frontend.pages.cart import add
from frontend.pages.request import backend, current_session, line, local_path, number, see
from frontend.rendering import page_language
from frontend.services import Refusal

MAX_EMAIL = 254
MAX_NAME = 100
MIN_PASSWORD = 8
MAX_PASSWORD = 256
MAX_PRODUCT = 2**31 - 1
Page = tuple[str, int] | Response


@dataclass
class Form:
    """What was typed, and what is wrong with it."""

    email: str = ""
    name: str = ""
    password: str = ""
    next: str | None = None
    add: int | None = None
    """A product that goes into the cart after login."""
    errors: dict[str, str] = field(default_factory=dict)
    """Name of the text by field; "form" for the whole."""

    @classmethod
    def of_request(cls) -> "Form":
        """From the form, or from the link that leads to it."""
        given = request.values
        return cls(
            email=line(given.get("email"), MAX_EMAIL),
            name=line(given.get("name"), MAX_NAME),
            password=request.form.get("password", ""),
            next=local_path(given.get("next")),
            add=number(given.get("add"), 1, MAX_PRODUCT),
        )

    def check(self, *, new: bool) -> bool:
        """Note what is missing; True if all is well so far."""
        checks = {
            "email": None if "@" in self.email else "error.email",
            "name": None if self.name or not new else "error.name",
            "password": self._check_password(new=new),
        }
        self.errors = {name: text for name, text in checks.items() if text}
        return not self.errors

    def _check_password(self, *, new: bool) -> str | None:
        if not self.password:
            return "error.password_missing"
        fits = not new or MIN_PASSWORD <= len(self.password) <= MAX_PASSWORD
        return None if fits else "error.password"


def declare(blueprint: Blueprint) -> None:
    """Add the pages of an account."""

    @blueprint.get("/account/")
    def account() -> Response:
        return see("orders")

    @blueprint.get("/account/login")
    def login() -> Page:
        form = Form.of_request()
        return _leave(form) if current_session().present else _show("login", form)

    @blueprint.post("/account/login")
    def log_in() -> Page:
        form = Form.of_request()
        return _enter(form, "login") if form.check(new=False) else _show("login", form, 422)

    @blueprint.get("/account/register")
    def register() -> Page:
        form = Form.of_request()
        return _leave(form) if current_session().present else _show("register", form)

    @blueprint.post("/account/register")
    def make_account() -> Page:
        form = Form.of_request()
        return _register(form) if form.check(new=True) else _show("register", form, 422)

    @blueprint.post("/account/logout")
    def log_out() -> Response:
        try:
            current_session().revoke()
        except Unavailable:
            return see("login", done="logged_out_here")
        return see("login", done="logged_out")


def _show(page: str, form: Form, status: int = 200) -> tuple[str, int]:
    return render_template(f"{page}.html", form=form, min_password=MIN_PASSWORD), status


def _register(form: Form) -> Page:
    try:
        backend().users.register(form.email, form.password, form.name, page_language())
    except Refusal as error:
        form.errors = _refused(error)
        return _show("register", form, error.status)
    except Unavailable as error:
        unknown = isinstance(error, CallFailed) and error.maybe_done
        form.errors["form"] = "error.register_unknown" if unknown else "error.register_unavailable"
        return _show("register", form, 503)
    return _enter(form, "login")


def _refused(error: Refusal) -> dict[str, str]:
    if error.name == "email-taken":
        return {"email": "error.email_taken"}
    known = {"email": "error.email", "name": "error.name", "password": "error.password"}
    return {name: text for name, text in known.items() if name in error.fields} or {"form": "error.refused"}


def _enter(form: Form, page: str) -> Page:
    try:
        tokens = backend().users.log_in(form.email, form.password)
    except Refusal:
        form.errors["form"] = "error.login"
        return _show(page, form, 422)
    except Unavailable:
        form.errors["form"] = "error.login_unavailable"
        return _show(page, form, 503)
    current_session().begin(tokens)
    return _go_on(form)


def _leave(form: Form) -> Response:
    """Away from a page that is not needed. It was only looked at, so nothing is put into the cart."""
    if form.add:
        return see("product", product_id=form.add)
    return redirect(form.next or url_for("pages.catalogue"), 303)


def _go_on(form: Form) -> Response:
    """To where the login was asked for; the product that it was asked for goes into the cart first."""
    if form.add:
        try:
            add(form.add, 1)
        except ProblemError:
            return see("cart", problem="not_added")
        return see("cart", done="added")
    return _leave(form)
