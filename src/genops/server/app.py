"""The application: OTLP, the JSON API, and the pages, behind one gate."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from genops.server import api, dashboard
from genops.server.gate import Gate, login
from genops.server.otlp import http
from genops.server.state import ServerState

__all__ = ["make_app"]


def make_app(state: ServerState) -> Starlette:
    """The application over `state`: everything that one port serves."""
    received = http.routes(state.receiver) if state.receiver is not None else []
    app = Starlette(
        routes=[
            Route("/login", login, methods=["GET", "POST"]),
            *api.routes(state),
            *received,
            *dashboard.routes(state),
        ],
        middleware=[Middleware(Gate, access=state.access)],
    )
    app.state.access = state.access
    return app
