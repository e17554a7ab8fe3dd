"""The dashboard's routes: pages made on the server from named queries, and the files they load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from genops._version import __version__
from genops.core.budgets.units import is_money
from genops.core.errors import ConfigurationError
from genops.server.dashboard import formatting as f
from genops.server.dashboard import setup as health
from genops.server.dashboard.budgets import budgets
from genops.server.dashboard.compliance import compliance
from genops.server.dashboard.economics import customers, evals
from genops.server.dashboard.explore import call, explore
from genops.server.dashboard.figures import fraction
from genops.server.dashboard.overview import overview
from genops.server.dashboard.rules import policy
from genops.server.dashboard.selection import PERIODS, TITLES, Selection, read_selection
from genops.server.dashboard.view import State, View

__all__ = ["ASSETS", "PAGES", "Page", "routes"]

_HERE = Path(__file__).parent
ASSETS = _HERE / "static"
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the navigation. `keys` are those of the URL that it reads besides period, filters and grouping.

    A page with `money` on it adds amounts up, so it is about one currency at a time.
    """

    path: str
    title: str
    key: str  # g and this letter lead to it
    template: str
    make: Callable[[View], dict[str, Any]]
    keys: frozenset[str] = frozenset()
    money: bool = True


PAGES = (
    Page("/", "Overview", "o", "overview.html", overview, frozenset({"split"})),
    Page("/explore", "Explore", "e", "explore.html", explore, frozenset({"order", "before"})),
    Page("/budgets", "Budgets", "b", "budgets.html", budgets),
    Page("/policy", "Policy", "p", "policy.html", policy, money=False),
    Page("/customers", "Unit economics", "c", "customers.html", customers),
    Page("/evals", "Evaluations", "v", "evals.html", evals, money=False),
    Page("/compliance", "Compliance", "m", "compliance.html", compliance),
    Page("/setup", "Setup", "s", "setup.html", health.setup, money=False),
)
_UNFILTERED = frozenset({"/setup"})  # it is about everything


class _Assets(StaticFiles):
    """Files that never change under their URL, which names the version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = f"max-age={_YEAR_S}, immutable"
        return response


class _Pages:
    """Renders pages for one server."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._checks = health.Checks()
        self._templates = _environment(state)

    def page(self, page: Page) -> Callable[[Request], Response]:
        """The endpoint of a page. Starlette runs it in a thread, for queries take their time."""

        def endpoint(request: Request) -> Response:
            return self._answer(request, page)

        return endpoint

    def _answer(self, request: Request, page: Page) -> Response:
        now = datetime.now(UTC)
        try:
            selection = read_selection(request.query_params.multi_items(), now=now, known=page.keys)
            view = View(self._state, selection, _asked(request, page.keys))
            view = view.of_one_currency() if page.money else view
            context = page.make(view)
            sums = context.get("totals", {"calls": 1})
            context["loading"] = not sums["calls"] and not sums["blocked"] and view.loading()
        except ConfigurationError as error:
            return self._error(error.message, error.fix, 400)
        context |= {"receiver": str(request.base_url).rstrip("/")} if page.path == "/setup" else {}
        context |= {"money_in": view.currency, "currencies": view.currencies if len(view.currencies) > 1 else ()}
        return self._render(page.template, view.selection, title=page.title, here=page.path, **context)

    def call(self, request: Request) -> Response:
        """The page of one call."""
        selection = Selection(period="all", now=datetime.now(UTC))
        context = call(View(self._state, selection, {}), request.path_params["call_id"])
        if context is None:
            return self._error("There is no such call in this ledger.", "look for it under /explore?period=all", 404)
        return self._render("call.html", None, title="Call", here="/explore", **context)

    def add_filter(self, request: Request) -> Response:
        """The form for one more filter leads to the URL that has it."""
        pairs = [(key, value) for key, value in request.query_params.multi_items() if key not in ("column", "value")]
        column, value = (request.query_params.get(key, "").strip() for key in ("column", "value"))
        try:
            selection = read_selection(pairs, now=datetime.now(UTC))
            wanted = read_selection([(column, value)], now=selection.now) if column else selection
        except ConfigurationError as error:
            return self._error(error.message, error.fix, 400)
        merged = selection.only(((column, value or None),)) if wanted.where else selection
        return RedirectResponse(f"/explore{merged.query()}", status_code=303)

    def findings(self, request: Request) -> Response:
        """The checks of the setup page: a fragment of it, or by itself without JavaScript."""
        return self._render("findings.html", None, title="Setup", here="/setup", **health.findings(self._checks))

    def _error(self, message: str, fix: str | None, status: int) -> Response:
        return self._render("error.html", None, status=status, title="Not that way", here="", message=message, fix=fix)

    def _render(self, template: str, selection: Selection | None, *, status: int = 200, **context: Any) -> Response:
        found = self._templates.get_template(template)
        kept = None if context.get("here") in _UNFILTERED else selection
        now = datetime.now(UTC)
        problems = self._state.health().get("problems", ())
        context = {"money_in": "USD", "currencies": (), "problems": problems} | context
        return HTMLResponse(found.render(selection=selection, carried=kept, now=now, **context), status_code=status)


def routes(state: State) -> list[Route | Mount]:
    """The dashboard of a server: its pages at /, its files at /assets. Every route only reads."""
    pages = _Pages(state)
    return [
        *(Route(page.path, pages.page(page), name=page.title) for page in PAGES),
        Route("/explore/filter", pages.add_filter),
        Route("/calls/{call_id}", pages.call),
        Route("/setup/findings", pages.findings),
        Mount("/assets", _Assets(directory=ASSETS)),
    ]


def _asked(request: Request, keys: frozenset[str]) -> Mapping[str, str]:
    return {key: value for key, value in request.query_params.items() if key in keys and value}


def _environment(state: State) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    environment.filters |= {
        "ago": f.ago,
        "aligned": f.aligned,
        "count": f.count,
        "duration": f.duration,
        "exact": f.exact,
        "file_name": lambda place: str(place).rsplit("/", 1)[-1],
        "fraction": fraction,
        "in_code": f.in_code,
        "moment": f.moment,
        "money": f.money,
        "percent": f.percent,
        "places_for": f.places_for,
        "plain": f.plain,
        "quantity": f.quantity,
        "shown": f.shown,
        "tally": f.tally,
        "title_of": title_of,
        "pairs": lambda columns, row: tuple((column, row[column]) for column in columns),
    }
    environment.tests |= {"money_unit": is_money, "currency": f.is_currency}
    environment.globals |= {
        "asset": lambda name: f"/assets/{name}?v={__version__}",
        "pages": PAGES,
        "periods": tuple(PERIODS.values()),
        "directory": str(state.directory),
        "ledger_name": state.directory.name or str(state.directory),
        "version": __version__,
    }
    return environment


def title_of(column: str) -> str:
    """What a column is called on a page."""
    return TITLES.get(column, column.removeprefix("tag:"))
