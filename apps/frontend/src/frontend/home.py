"""GET /api/home: what a page's head or a start page needs, asked for at the same time."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field
from tandem_common.fields import Output, Query
from tandem_common.problems import ProblemError, Unavailable

from frontend.services import Account, Backend, CartLine, Order, Product
from frontend.session import LoginRequired, Session

Part = Literal["me", "cart", "recommendations", "orders"]
PARTS: tuple[Part, ...] = get_args(Part)
RECOMMENDED = 4
LAST_ORDERS = 3
DAY_SECONDS = 86_400


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


class HomeQuery(Query):
    """Which parts."""

    parts: Annotated[list[Part], BeforeValidator(_split)] = Field(
        default=list(PARTS), description="Names of parts, with commas between; default: all"
    )


class HomeAccount(Output):
    """Who is logged in."""

    name: str
    email: str
    admin: bool = Field(description="Whether pages for administrators are of use")


class HomeCart(Output):
    """The cart."""

    items: list[CartLine]
    count: int = Field(description="Number of pieces")


class HomeProblem(Output):
    """Why a part is null although somebody is logged in."""

    part: Part
    type: str
    detail: str


class HomeView(Output):
    """Parts that nobody asked for, that belong to nobody (not logged in) or that can't be had now are null."""

    me: HomeAccount | None = None
    cart: HomeCart | None = None
    recommendations: list[Product] | None = None
    orders: list[Order] | None = None
    problems: list[HomeProblem] = Field(default_factory=list)


class Recommendations:
    """A few products that can be had. The choice moves through the catalogue from day to day."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._total = 0

    def get(self) -> list[Product]:
        """At most RECOMMENDED products; sold out ones are left out."""
        size = RECOMMENDED * 2
        pages = max(1, self._total // size)
        answer = self._backend.products.page(int(time.time() // DAY_SECONDS) % pages + 1, size)
        self._total = answer.total
        return [product for product in answer.items if product.available][:RECOMMENDED]


@dataclass(frozen=True)
class Home:
    """Asks all services at the same time, until a deadline. Each part fails alone."""

    backend: Backend
    recommendations: Recommendations
    seconds: float

    def view(self, session: Session, parts: list[Part]) -> HomeView:
        """The parts; Unauthorized if the request's own bearer token is refused."""
        shared: dict[Part, Callable[[], Any]] = {"recommendations": self.recommendations.get}
        jobs = {part: job for part, job in shared.items() if part in parts}
        problems: list[HomeProblem] = []
        if session.present:
            own = [part for part in parts if part not in shared]
            return self._personal(session, jobs, own, problems)
        return self._answer(self._gather(jobs, problems), problems)

    def _personal(
        self,
        session: Session,
        jobs: Mapping[Part, Callable[[], Any]],
        own: list[Part],
        problems: list[HomeProblem],
    ) -> HomeView:
        def work(token: str) -> dict[Part, Any]:
            problems.clear()
            return self._gather({**jobs, **{part: self._job(part, token) for part in own}}, problems)

        try:
            return self._answer(session.call(work), problems)
        except LoginRequired:
            problems.clear()
        except Unavailable as error:
            problems[:] = [_problem(part, error) for part in own]
        return self._answer(self._gather(jobs, problems), problems)

    def _job(self, part: Part, token: str) -> Callable[[], Any]:
        def me() -> HomeAccount:
            return _account(self.backend.users.me(token))

        def cart() -> HomeCart:
            found = self.backend.orders.cart(token)
            return HomeCart(items=found.items, count=found.count)

        def orders() -> list[Order]:
            return self.backend.orders.page(token, 1, LAST_ORDERS).items

        jobs: dict[Part, Callable[[], Any]] = {"me": me, "cart": cart, "orders": orders}
        return jobs[part]

    def _gather(self, jobs: Mapping[Part, Callable[[], Any]], problems: list[HomeProblem]) -> dict[Part, Any]:
        futures = {part: self.backend.pool.submit(job) for part, job in jobs.items()}
        done, _ = wait(futures.values(), timeout=self.seconds)
        found: dict[Part, Any] = {}
        for part, future in futures.items():
            try:
                found[part] = _result(future, future in done)
            except ProblemError as error:
                if error.status == 401:
                    raise
                problems.append(_problem(part, error))
        return found

    @staticmethod
    def _answer(found: Mapping[Part, Any], problems: list[HomeProblem]) -> HomeView:
        return HomeView.model_validate({**found, "problems": problems})


def _result(future: "Future[Any]", done: bool) -> Any:
    if not done:
        future.cancel()
        raise Unavailable("There was no answer in time.")
    return future.result()


def _account(account: Account) -> HomeAccount:
    return HomeAccount(name=account.name, email=account.email, admin=account.admin)


def _problem(part: Part, error: ProblemError) -> HomeProblem:
    return HomeProblem(part=part, type=error.type, detail=error.detail or error.title)
