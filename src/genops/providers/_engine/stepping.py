"""Stepping: a generator whose body sends the request, run with its frame as the current one, step by step.

No context is held across a step: what the application does in between belongs to the application.
"""

from __future__ import annotations

from typing import Any

import wrapt

from genops.core.frame import CURRENT, Frame
from genops.core.ledger import Outcome
from genops.providers._engine.meters import settle_error

__all__ = ["Active", "Step", "Stepped"]


class Active:
    """Makes a frame, and its span, the current ones inside the block."""

    __slots__ = ("_context", "_frame", "_outer")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __enter__(self) -> None:
        self._outer: Any = CURRENT.get()
        CURRENT.set(self._frame)
        self._context = self._frame.runtime.telemetry.attach(self._frame.span)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, GeneratorExit):  # a coroutine dropped half-way may be finalised in another context
            CURRENT.set(self._outer)
            self._frame.runtime.telemetry.detach(self._context)
        if error is not None:
            if not isinstance(error, StopIteration | StopAsyncIteration):
                settle_error(self._frame, error)  # does nothing if the meter has settled
        elif self._frame.owner is not None and not self.may_wait:
            self._frame.settle(None, Outcome.COMPLETED)  # something in between answered: the vendor was never called

    may_wait = False


class Step(Active):
    """One step of a generator; the vendor may be called in a later one."""

    __slots__ = ()
    may_wait = True


class Stepped(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A vendor's generator, sync or async, that sends its request when it is first read."""

    def __init__(self, generator: Any, frame: Frame) -> None:
        super().__init__(generator)
        self._self_frame = frame
        self._self_steps: Any = None  # what is read: somebody else's wrapper may be no iterator by itself

    def __iter__(self) -> Any:
        return self

    def __aiter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        with Step(self._self_frame):
            if self._self_steps is None:
                self._self_steps = iter(self.__wrapped__)
            return next(self._self_steps)

    async def __anext__(self) -> Any:
        with Step(self._self_frame):
            if self._self_steps is None:
                self._self_steps = aiter(self.__wrapped__)
            return await anext(self._self_steps)

    def close(self) -> Any:
        self._self_let_go()
        return self.__wrapped__.close()

    def aclose(self) -> Any:
        self._self_let_go()
        return self.__wrapped__.aclose()

    def __del__(self) -> None:
        self._self_let_go()

    def _self_let_go(self) -> None:
        """A generator that nobody read has sent nothing."""
        if self._self_frame.owner is not None:
            self._self_frame.settle(None, Outcome.ABANDONED, executed=False)
