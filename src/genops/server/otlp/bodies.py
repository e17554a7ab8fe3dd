"""Bodies of OTLP over HTTP: read up to a limit, unpacked up to a limit, and parsed."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from genops.server.otlp.answers import JSON, PROTOBUF, Refused

__all__ = ["LONGEST", "parse", "read", "unpack"]

LONGEST = 20 * 1024 * 1024  # bytes of one request, packed and unpacked; the Collector's default is the same
_IDS = {"traceId", "spanId", "parentSpanId"}  # hexadecimal in OTLP's JSON, base64 in every other of protobuf's


async def read(chunks: AsyncIterator[bytes], stated: str | None) -> bytes:
    """The body, as it was sent. `stated` is the header Content-Length. Raises `Refused`."""
    if stated is not None and stated.isdigit() and int(stated) > LONGEST:
        raise _too_long()
    found: list[bytes] = []
    length = 0
    async for chunk in chunks:
        length += len(chunk)
        if length > LONGEST:
            raise _too_long()
        found.append(chunk)
    return b"".join(found)


def unpack(body: bytes, encoding: str | None) -> bytes:
    """The body without its Content-Encoding: gzip, or none. Raises `Refused`, before it has grown over the limit."""
    if encoding in (None, "", "identity"):
        return body
    if encoding != "gzip":
        raise Refused(415, f"Content-Encoding {encoding!r} is not known. fix: use gzip, or none")
    found: list[bytes] = []
    left, length = body, 0
    while left:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(left, LONGEST - length + 1)
        except zlib.error as error:
            raise Refused(400, f"the body is no gzip: {error}") from None
        length += len(part)
        if length > LONGEST:
            raise _too_long()
        if not unpacker.eof:
            raise Refused(400, "the body is no gzip: it ends too early")
        found.append(part)
        left = unpacker.unused_data
    return b"".join(found)


def _too_long() -> Refused:
    return Refused(413, f"the request has more than {LONGEST} bytes. fix: send smaller batches")


def parse(body: bytes, content_type: str | None, request: type[Message]) -> Message:
    """The message in a body. Raises `Refused`."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == PROTOBUF:
        try:
            return request.FromString(body)
        except DecodeError as error:
            raise Refused(400, f"the body is no OTLP in protobuf: {error}") from None
    if kind != JSON:
        raise Refused(415, f"Content-Type {content_type!r} is not known. fix: use {PROTOBUF} or {JSON}")
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        _ids_as_base64(document)
        message: Message = json_format.ParseDict(document, request(), ignore_unknown_fields=True)
    except (ValueError, TypeError, AttributeError, RecursionError, json_format.ParseError) as error:
        raise Refused(400, f"the body is no OTLP in JSON: {str(error)[:200]}") from None
    return message


def _ids_as_base64(document: Any) -> None:
    """Attributes are lists of key and value, so nothing but an id has the name of one."""
    left = [document]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left.extend(each)
        elif isinstance(each, dict):
            ids = {name: each[name] for name in _IDS & each.keys() if isinstance(each[name], str)}
            each |= {name: base64.b64encode(binascii.unhexlify(text)).decode() for name, text in ids.items()}
            left.extend(each.values())
