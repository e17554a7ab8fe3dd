"""Streams: pass every chunk through untouched, let a sink see it, and tell the sink exactly once how the stream ended.

A sink ends in one of these ways, whichever comes first: exhausted, failed, cancelled, closed by the application, or
garbage-collected. The proxies keep `isinstance`, attributes and types of what they wrap.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from typing import Any, Protocol

import wrapt

from genops.core.ledger import Outcome

__all__ = ["Layer", "ManagerProxy", "StreamProxy", "StreamSink", "outcome_of", "unhook"]


class StreamSink(Protocol):
    """What watches a stream. Nothing of it raises; `end` counts the first time only.

    `feed` looks at a chunk and says whether it carries nothing but usage; if `hides`, such a chunk is kept from the
    application.
    """

    @property
    def feed(self) -> Callable[[Any], bool | None]: ...

    @property
    def hides(self) -> bool: ...

    def end(self, outcome: Outcome, error: BaseException | None = None) -> None: ...


class Layer(Protocol):
    """What changes the chunks of a stream on their way to the application."""

    def over(self, chunks: Iterable[Any]) -> Generator[Any, None, None]: ...

    def aover(self, chunks: AsyncIterable[Any]) -> AsyncGenerator[Any, None]: ...


def outcome_of(error: BaseException) -> Outcome:
    """How a call that raised `error` ended."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
        return Outcome.CANCELLED
    return Outcome.ERROR


class _Reader:
    """The one who still may read the stream: held by the proxy and by the running iteration, and by nobody else.

    When the last of them lets go, nobody will ever read on, and the sink is told so.
    """

    __slots__ = ("__weakref__", "pump", "sink")

    def __init__(self, sink: StreamSink) -> None:
        self.sink = sink
        self.pump: weakref.ref[Any] | None = None

    def close(self) -> None:
        """The application, or a helper of the vendor's, closes the stream."""
        pump = self.pump() if self.pump is not None else None
        # The vendor closes the response itself on exhaustion, from inside our iteration: that is not closing early.
        if not (getattr(pump, "gi_running", False) or getattr(pump, "ag_running", False)):
            self.sink.end(Outcome.CLOSED_EARLY)

    def __del__(self) -> None:
        self.sink.end(Outcome.ABANDONED)


def _pump(chunks: Iterable[Any], reader: _Reader) -> Generator[Any, None, None]:
    feed, hides = reader.sink.feed, reader.sink.hides
    try:
        for chunk in chunks:
            if not feed(chunk) or not hides:
                yield chunk
    except GeneratorExit:
        raise  # dropped half-way: closing or the reader's end names the outcome
    except BaseException as error:
        reader.sink.end(outcome_of(error), error)
        raise
    reader.sink.end(Outcome.COMPLETED)


async def _apump(chunks: AsyncIterable[Any], reader: _Reader) -> AsyncGenerator[Any, None]:
    feed, hides = reader.sink.feed, reader.sink.hides
    try:
        async for chunk in chunks:
            if feed(chunk) and hides:
                continue
            yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        reader.sink.end(outcome_of(error), error)
        raise
    reader.sink.end(Outcome.COMPLETED)


class StreamProxy(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A vendor stream, sync or async, with a sink beside it.

    Iterating yields the vendor's own chunks. Leaving the `with` block, `close()` and closing the underlying HTTP
    response (what the vendors' helper streams do) all end the sink.
    """

    def __init__(self, stream: Any, sink: StreamSink, *layers: Layer) -> None:
        super().__init__(stream)
        self._self_reader = _Reader(sink)
        self._self_layers = layers
        self._self_pump: Any = None
        _hook_response_close(stream, self._self_reader)

    def _self_start(self, pump: Callable[[Any, _Reader], Any]) -> Any:
        if self._self_pump is None:
            self._self_pump = pump(self.__wrapped__, self._self_reader)
            self._self_reader.pump = weakref.ref(self._self_pump)
            for layer in self._self_layers:
                self._self_pump = (layer.over if pump is _pump else layer.aover)(self._self_pump)
        return self._self_pump

    def __iter__(self) -> Any:
        return self._self_start(_pump)

    def __next__(self) -> Any:
        return next(self._self_start(_pump))

    def __aiter__(self) -> Any:
        return self._self_start(_apump)

    def __anext__(self) -> Any:
        return self._self_start(_apump).__anext__()

    def close(self) -> Any:
        self._self_reader.close()
        return self.__wrapped__.close()

    def aclose(self) -> Any:
        self._self_reader.close()
        return self.__wrapped__.aclose()

    def __enter__(self) -> Any:
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, *exc: Any) -> Any:
        self._self_reader.close()
        return self.__wrapped__.__exit__(*exc)

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        self._self_reader.close()
        return await self.__wrapped__.__aexit__(*exc)


def _hook_response_close(stream: Any, reader: _Reader) -> None:
    """Have the HTTP response tell the reader when it is closed. Weakly: the response may outlive every reader."""
    response = getattr(stream, "response", None)
    weak = weakref.ref(reader)
    for name in _CLOSERS:
        original = getattr(response, name, None)
        if original is None:
            continue

        def closing(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            target = weak()
            if target is not None:
                target.close()
            unhook(response, *_CLOSERS)
            return _original(*args, **kwargs)

        try:
            setattr(response, name, closing)
        except AttributeError:  # a response with slots: closing through the proxy still ends the sink
            return


_CLOSERS = ("close", "aclose")


def unhook(owner: Any, *names: str) -> None:
    """Take back what was put in place of methods of an object: it and the object keep one another alive."""
    for name in names:
        getattr(owner, "__dict__", {}).pop(name, None)


class ManagerProxy(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A vendor stream manager: the request is sent on entering, so that is where the call begins.

    `enter` runs the vendor's `__enter__` (or awaits its `__aenter__`) inside the governed call, and returns the manager
    that was entered with what the application gets: it may be another, made for a request that governance changed.
    """

    def __init__(self, manager: Any, enter: Callable[[Any], Any], aenter: Callable[[Any], Any]) -> None:
        super().__init__(manager)
        self._self_enter = enter
        self._self_aenter = aenter

    def __enter__(self) -> Any:
        self.__wrapped__, stream = self._self_enter(self.__wrapped__)
        return stream

    async def __aenter__(self) -> Any:
        self.__wrapped__, stream = await self._self_aenter(self.__wrapped__)
        return stream

    def __exit__(self, *exc: Any) -> Any:
        return self.__wrapped__.__exit__(*exc)

    async def __aexit__(self, *exc: Any) -> Any:
        return await self.__wrapped__.__aexit__(*exc)
