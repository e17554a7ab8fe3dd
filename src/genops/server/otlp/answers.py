"""Answers: what the sender of a request that was not taken is told, over HTTP and gRPC alike."""

from __future__ import annotations

from google.protobuf.json_format import MessageToJson
from google.rpc import status_pb2
from starlette.responses import Response

__all__ = ["JSON", "PROTOBUF", "Refused", "refused_over_http"]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
# gRPC's code for each status of HTTP. Only 429 and 503 may be sent again.
_CODES = {400: 3, 401: 16, 403: 7, 405: 12, 413: 8, 415: 3, 421: 7, 429: 8, 500: 13, 503: 14}


class Refused(Exception):
    """A request that is not taken. With `retry_after_s` it may be sent again, then."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> int:
        """The code of gRPC."""
        return _CODES.get(self.status, 2)


def refused_over_http(
    status: int, message: str, content_type: str | None, retry_after_s: int | None = None
) -> Response:
    """A refusal as OTLP over HTTP wants it: a google.rpc.Status in the encoding of the request."""
    said = status_pb2.Status(code=_CODES.get(status, 2), message=message)
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if (content_type or "").startswith(JSON):
        return Response(MessageToJson(said), status, headers, JSON)
    return Response(said.SerializeToString(), status, headers, PROTOBUF)
