"""Meters: from a vendor's answer, whatever its form, to a settled frame.

Forms: a parsed response, a stream of chunks, a raw HTTP response (read at once, later, in pieces, or never), an error.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any

import wrapt

from genops.core import estimate
from genops.core._guarding import contained, never_raises
from genops.core.content import Answer, output_messages
from genops.core.frame import Frame
from genops.core.ledger import Outcome
from genops.providers._engine.chunks import StreamReader
from genops.providers._engine.reading import read
from genops.providers._engine.restoring import StreamRestorer, restore_in_place
from genops.providers._engine.spec import Call
from genops.providers._engine.streams import Layer, StreamProxy, outcome_of

__all__ = ["ResponseProxy", "StreamMeter", "settle_error", "settle_response", "stream_over"]

_log = logging.getLogger(__name__)
_BODY_LIMIT = 16 * 1024 * 1024  # bytes of a raw body kept for reading usage; the largest image answers are about 8 MB
# Raised by vendor clients before anything is sent: bad arguments, missing credentials.
_NEVER_SENT = frozenset(
    {"TypeError", "ValueError", "OpenAIError", "AnthropicError", "GroqError", "TogetherError", "RequestError"}
    | {"ParamValidationError", "NoCredentialsError", "NoRegionError", "ValidationError"}
)
# What an HTTP client raises when no connection came about.
_STATUS_AT_END = re.compile(r"\b(\d{3})\)\s*$")
_NEVER_CONNECTED = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"}
    | {"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError", "NewConnectionError"}
)


@never_raises
def settle_response(frame: Frame, response: Any) -> None:
    """Settle a call whose whole answer is here."""
    facts = frame.facts
    reading = read(facts.provider, facts.api, response, frame.request, _context(frame))
    characters = estimate.generated_characters(response) if reading.usage is None else 0
    if frame.runtime.telemetry.content:
        frame.answer = output_messages(response)
    frame.settle(reading, Outcome.COMPLETED, generated_characters=characters)
    if frame.vault is not None:
        restore_in_place(response, frame.vault)


def stream_over(frame: Frame, stream: Any, call: Call | None = None) -> StreamProxy:
    """A vendor's stream with a meter beside it; what redaction took out of the request is put back in the chunks."""
    layers: list[Layer] = []
    if frame.vault is not None:
        layers.append(StreamRestorer(frame.vault))
    if call is not None and call.plain and frame.hide_usage_chunk:
        layers.append(Plain(call.plain))
    lazy = inspect.isgenerator(stream) or inspect.isasyncgen(stream)
    chunk = call.chunk if call is not None else ""
    return StreamProxy(stream, StreamMeter(frame, chunk=chunk, lazy=lazy), *layers)


class Plain:
    """Gives the application the part of each chunk it asked for, when we had to ask for more."""

    def __init__(self, path: str) -> None:
        self._path = path.split(".")

    def over(self, chunks: Iterable[Any]) -> Generator[Any, None, None]:
        for chunk in chunks:
            yield self._part(chunk)

    async def aover(self, chunks: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
        async for chunk in chunks:
            yield self._part(chunk)

    def _part(self, chunk: Any) -> Any:
        for name in self._path:
            chunk = chunk[int(name)] if name.isdigit() else chunk[name]
        return chunk


@never_raises
def settle_error(frame: Frame, error: BaseException) -> None:
    """Settle a call that raised. Usage the error carries is booked: some answers are billed and then refused."""
    answer = getattr(error, "completion", None)
    facts = frame.facts
    reading = read(facts.provider, facts.api, answer, frame.request, _context(frame)) if answer is not None else None
    frame.settle(
        reading, outcome_of(error), error_type=type(error).__qualname__, executed=answer is not None or _executed(error)
    )


def _executed(error: BaseException) -> bool:
    """Whether the provider may have run, and billed, the request that ended in `error`."""
    status = _status_of(error)
    if status is not None:
        return status < 400
    if type(error).__name__ in _NEVER_SENT or type(error) is ConnectionError:  # what ollama makes of a ConnectError
        return False
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in _NEVER_CONNECTED:
            return False
        cause = cause.__cause__
    return True


def _status_of(error: BaseException) -> int | None:
    """The HTTP status of an answer that a vendor's client raised; None if there was none."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    stated = (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        getattr(error, "code", None),
        metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None,
    )
    found = next((status for status in stated if isinstance(status, int)), None)
    if found is None and type(error).__name__ == "WMLClientError":  # watsonx says it in the text of a stream's error
        written = _STATUS_AT_END.search(str(error))
        return int(written[1]) if written else None
    return found


def _context(frame: Frame) -> dict[str, Any] | None:
    return {"processing": frame.facts.processing} if frame.facts.processing is not None else None


class StreamMeter:
    """Reads usage from chunks as they pass; a `StreamSink`."""

    __slots__ = ("_answer", "_frame", "_lazy", "_reader", "hides")

    def __init__(self, frame: Frame, *, chunk: str = "", lazy: bool = False) -> None:
        self._frame = frame
        self._lazy = lazy  # the request is sent when the stream is first read
        self._answer = Answer() if frame.runtime.telemetry.content else None
        self._reader = StreamReader(
            frame.facts.provider, frame.facts.api, frame.request, on_first=frame.first_chunk, chunk=chunk
        )
        self.hides = frame.hide_usage_chunk

    @property
    def feed(self) -> Callable[[Any], bool | None]:
        return self._reader.feed if self._answer is None else self._feed_both

    def _feed_both(self, chunk: Any) -> bool | None:
        with contained(_log, "keeping the content of a stream"):
            self._answer.see(self._reader.chunk_of(chunk))  # type: ignore[union-attr]  # or this would not be called
        return self._reader.feed(chunk)

    def _executed(self, outcome: Outcome, error: BaseException | None) -> bool:
        if self._reader.started or outcome is Outcome.COMPLETED:
            return True
        return not self._lazy if error is None else _executed(error)

    @never_raises
    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        if self._answer is not None:
            self._frame.answer = self._answer.messages()
        self._frame.settle(
            self._reader.finish(),
            outcome,
            error_type=type(error).__qualname__ if error is not None else None,
            executed=self._executed(outcome, error),
            generated_characters=self._reader.text_length,
        )


class ResponseProxy(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A vendor's raw response: what the application reads of it is metered, in whatever form it reads."""

    def __init__(self, response: Any, body: _Body) -> None:
        super().__init__(response)
        self._self_body = body

    @classmethod
    def over(cls, response: Any, frame: Frame) -> Any:
        """Settle at once if the body is here, else return a proxy that settles when it has been read or closed."""
        body = _Body(frame, response.http_response)
        if not frame.facts.streamed and body.is_read():
            body.end(Outcome.COMPLETED)
            return response
        return cls(response, body)

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_body.then(self.__wrapped__.parse(*args, **kwargs), self._self_body.parsed)

    def read(self) -> Any:
        return self._self_body.then(self.__wrapped__.read(), self._self_body.whole)

    def text(self) -> Any:
        return self._self_body.then(self.__wrapped__.text(), self._self_body.whole)

    def json(self) -> Any:
        return self._self_body.then(self.__wrapped__.json(), self._self_body.whole)

    def iter_bytes(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_body.pieces(self.__wrapped__.iter_bytes(*args, **kwargs))

    def iter_text(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_body.pieces(self.__wrapped__.iter_text(*args, **kwargs))

    def iter_lines(self) -> Any:
        return self._self_body.pieces(self.__wrapped__.iter_lines(), newline=b"\n")

    def close(self) -> Any:
        self._self_body.end(Outcome.CLOSED_EARLY)
        return self.__wrapped__.close()


class _Body:
    """The body of a raw response, as far as the application has read it."""

    def __init__(self, frame: Frame, http_response: Any) -> None:
        self._frame = frame
        self._http = http_response
        self._seen = bytearray()
        self._handed_over = False  # to a stream, which settles the call

    def is_read(self) -> bool:
        try:
            return self._http.content is not None
        except RuntimeError:  # httpx and httpx2: ResponseNotRead
            return False

    def then(self, result: Any, after: Callable[[Any], Any]) -> Any:
        """Apply `after` to a result that may have to be awaited first."""
        if inspect.isawaitable(result):
            return self._athen(result, after)
        return after(result)

    async def _athen(self, result: Any, after: Callable[[Any], Any]) -> Any:
        return after(await result)

    def parsed(self, result: Any) -> Any:
        """The application parsed the response: into a stream, or into an object."""
        if self._frame.facts.streamed and (hasattr(result, "__iter__") or hasattr(result, "__aiter__")):
            self._handed_over = True
            return stream_over(self._frame, result)
        return self.whole(result)

    def whole(self, result: Any) -> Any:
        self.end(Outcome.COMPLETED)
        vault = self._frame.vault
        if vault is not None and isinstance(result, str):
            return vault.restore(result)
        if vault is not None and not isinstance(result, bytes):
            restore_in_place(result, vault)
        return result

    def pieces(self, pieces: Any, newline: bytes = b"") -> Any:
        return self._apieces(pieces, newline) if hasattr(pieces, "__aiter__") else self._pieces(pieces, newline)

    def _pieces(self, pieces: Iterator[Any], newline: bytes) -> Iterator[Any]:
        try:
            for piece in pieces:
                self._see(piece, newline)
                yield piece
        except GeneratorExit:
            self.end(Outcome.CLOSED_EARLY)
            raise
        except BaseException as error:
            settle_error(self._frame, error)
            raise
        self.end(Outcome.COMPLETED)

    async def _apieces(self, pieces: AsyncIterator[Any], newline: bytes) -> AsyncIterator[Any]:
        try:
            async for piece in pieces:
                self._see(piece, newline)
                yield piece
        except GeneratorExit:
            self.end(Outcome.CLOSED_EARLY)
            raise
        except BaseException as error:
            settle_error(self._frame, error)
            raise
        self.end(Outcome.COMPLETED)

    @never_raises
    def _see(self, piece: str | bytes, newline: bytes) -> None:
        self._frame.first_chunk()
        if len(self._seen) < _BODY_LIMIT:
            self._seen += (piece.encode() if isinstance(piece, str) else piece) + newline

    @never_raises
    def end(self, outcome: Outcome) -> None:
        """Settle from what has been read."""
        content = bytes(self._seen) or (self._http.content if self.is_read() else b"")
        if "text/event-stream" in self._http.headers.get("content-type", ""):
            meter = StreamMeter(self._frame)
            feed = meter.feed
            for chunk in _events(content):
                feed(chunk)
            meter.end(outcome)
            return
        facts = self._frame.facts
        answer = _json(content)
        reading = read(facts.provider, facts.api, answer, self._frame.request, _context(self._frame))
        characters = estimate.generated_characters(answer) if reading.usage is None else 0
        self._frame.settle(reading, outcome, generated_characters=characters)

    def __del__(self) -> None:
        if not self._handed_over:
            self.end(Outcome.ABANDONED)


def _events(content: bytes) -> Iterator[Any]:
    """The JSON payloads of a body of server-sent events; what is not JSON is skipped."""
    for line in content.split(b"\n"):
        if line.startswith(b"data:"):
            payload = _json(line[5:])
            if payload is not None:
                yield payload


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
