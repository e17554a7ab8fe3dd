"""OTLP over HTTP: /v1/traces, /v1/logs and /v1/metrics, protobuf and JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from google.protobuf.json_format import MessageToJson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from genops.server.otlp.answers import JSON, PROTOBUF, Refused, refused_over_http
from genops.server.otlp.bodies import parse, read, unpack
from genops.server.otlp.signals import SIGNALS, Signal
from genops.server.receiving import Receiver

__all__ = ["routes"]


def routes(receiver: Receiver) -> list[BaseRoute]:
    """One route for each signal."""
    return [
        Route(f"/v1/{name}", _taking(receiver, signal), methods=["POST"], name=name) for name, signal in SIGNALS.items()
    ]


def _taking(receiver: Receiver, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
    async def take(request: Request) -> Response:
        kind = request.headers.get("content-type")
        try:
            with receiver.admitting():
                body = await read(request.stream(), request.headers.get("content-length"))
                encoding = request.headers.get("content-encoding")
                taken = await receiver.take(signal, lambda: parse(unpack(body, encoding), kind, signal.request))
        except Refused as refusal:
            return refused_over_http(refusal.status, refusal.message, kind, refusal.retry_after_s)
        answer = signal.answer(taken)
        if (kind or "").startswith(JSON):
            return Response(MessageToJson(answer), media_type=JSON)
        return Response(answer.SerializeToString(), media_type=PROTOBUF)

    return take
