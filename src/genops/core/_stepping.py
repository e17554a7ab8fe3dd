"""Running a function of any kind inside a block: plain, coroutine, generator or async generator.

A generator is inside the block only while it runs, not while it is suspended: what its consumer does between two items
is the consumer's.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

__all__ = ["run_inside"]

P = ParamSpec("P")
R = TypeVar("R")


def run_inside(function: Callable[P, R], block: AbstractContextManager[Any]) -> Callable[P, R]:
    """Return `function`, of the same kind, with every step of it inside `block`, which must be reusable."""
    wrapped: Any
    if inspect.isasyncgenfunction(function):
        wrapped = _async_generator(function, block)
    elif inspect.iscoroutinefunction(function):

        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            with block:
                return await function(*args, **kwargs)

    elif inspect.isgeneratorfunction(function):

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            return (yield from _Steps(function(*args, **kwargs), block))

    else:

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            with block:
                return function(*args, **kwargs)

    made: Callable[P, R] = functools.wraps(function)(wrapped)
    return made


class _Steps(Generator[Any, Any, Any]):
    """A generator of which every step runs inside a block."""

    def __init__(self, generator: Generator[Any, Any, Any], block: AbstractContextManager[Any]) -> None:
        self._generator = generator
        self._block = block

    def send(self, value: Any) -> Any:
        with self._block:
            return self._generator.send(value)

    def throw(self, kind: Any, value: Any = None, trace: TracebackType | None = None) -> Any:
        with self._block:
            return self._generator.throw(kind if value is None else value)

    def close(self) -> None:
        with self._block:
            self._generator.close()


def _async_generator(function: Callable[..., Any], block: AbstractContextManager[Any]) -> Callable[..., Any]:
    async def stepping(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        generator = function(*args, **kwargs)
        step = generator.asend(None)
        while True:
            try:
                with block:
                    item = await step
            except StopAsyncIteration:
                return
            try:
                sent = yield item
            except GeneratorExit:
                with block:
                    await generator.aclose()
                raise
            except BaseException as error:  # noqa: BLE001  # thrown in by the consumer: it belongs to the generator
                step = generator.athrow(error)
            else:
                step = generator.asend(sent)

    return stepping
