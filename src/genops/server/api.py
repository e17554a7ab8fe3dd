"""The JSON API: named queries, health, and a stream that says when there is something new."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from genops._version import __version__
from genops.analytics import wire
from genops.core.errors import GenOpsError
from genops.server.state import ServerState

__all__ = ["routes"]

_LONGEST_QUERY = 1 << 16  # bytes
_HEARTBEAT_S = 15.0
_MOST_LISTENERS = 100


def routes(state: ServerState) -> list[BaseRoute]:
    """The endpoints below /api."""
    return [
        Route("/api/health", _health(state)),
        Route("/api/events", _events(state)),
        Route("/api/refresh", _refresh(state), methods=["POST"]),
        Route("/api/query/{name}", _query(state), methods=["POST"]),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _health(state: ServerState) -> Endpoint:
    async def health(request: Request) -> Response:
        said: dict[str, Any] = {"status": "ok", "version": __version__}
        if state.access.allows(request.headers.get("authorization"), request.cookies.get(state.access.cookie)):
            said |= state.health()
        return JSONResponse(said)

    return health


def _refresh(state: ServerState) -> Endpoint:
    async def refresh(request: Request) -> Response:
        await run_in_threadpool(state.refresh)
        return JSONResponse({})

    return refresh


def _query(state: ServerState) -> Endpoint:
    async def query(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_QUERY:
                return _mistake(413, f"the query has more than {_LONGEST_QUERY} bytes.", "ask for less at once")
        try:
            filters, parameters = wire.read_question(json.loads(body or b"{}"))
            rows = await run_in_threadpool(
                partial(state.source.query, request.path_params["name"], filters, **parameters)
            )
        except GenOpsError as error:
            return _mistake(400, error.message, error.fix)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return _mistake(400, f"that is no question: {error}", '{"filters": {}, "parameters": {"by": ["team"]}}')
        return JSONResponse(wire.pack(rows))

    return query


def _mistake(status: int, message: str, fix: str | None) -> Response:
    return JSONResponse({"error": message, "fix": fix}, status)


def _events(state: ServerState) -> Endpoint:
    listening = 0

    async def changes() -> AsyncIterator[str]:
        nonlocal listening
        listening += 1
        try:
            seen = state.changed.count
            yield f"retry: 2000\nevent: open\ndata: {seen}\n\n"
            while not state.changed.closed:
                count = await state.changed.after(seen, _HEARTBEAT_S)
                yield f"event: change\ndata: {count}\n\n" if count != seen else ": still here\n\n"
                seen = count
        finally:
            listening -= 1

    async def events(request: Request) -> Response:
        if listening >= _MOST_LISTENERS:
            return _mistake(503, f"{_MOST_LISTENERS} pages are listening.", "close some of them")
        return StreamingResponse(changes(), media_type="text/event-stream")

    return events
