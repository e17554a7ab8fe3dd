"""The pages of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from genops.server.state import ServerState

__all__ = ["routes"]


def routes(state: ServerState) -> list[BaseRoute]:
    """The pages, for `make_app`."""

    async def start(request: Request) -> RedirectResponse:
        return RedirectResponse("/api/health")

    return [Route("/", start)]
