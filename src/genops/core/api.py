"""Blocks and functions: how an application groups its calls. They carry attribution and spend nothing of their own."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from opentelemetry.trace import INVALID_SPAN, Span

from genops import semconv as s
from genops.core._stepping import run_inside
from genops.core.attributes import attribution_attributes
from genops.core.attribution import attribution, current
from genops.core.cost_context import CostContext
from genops.core.errors import ConfigurationError
from genops.core.frame import CURRENT, Frame, Scope
from genops.core.ids import new_id
from genops.core.runtime import current_runtime
from genops.core.telemetry import Telemetry

__all__ = ["production_workflow_context", "track", "track_usage"]

P = ParamSpec("P")
R = TypeVar("R")


class track:
    """A block of the application: the calls made inside belong together.

    `with genops.track("answer", team="support") as block:`, or `async with`, opens a span, makes the attributes apply
    to every governed call inside, and adds up what they cost in `block.cost`. Attribution and cost work without an
    OpenTelemetry SDK, too. A block object is used once. Raises `ConfigurationError` for an unknown attribute.
    """

    def __init__(self, name: str, **attributes: Any) -> None:
        if not name.strip():
            raise ConfigurationError("a block needs a name.", fix='genops.track("what it does")')
        self.name = name
        self.span: Span = INVALID_SPAN
        self.cost = CostContext(name, {key: str(value) for key, value in attributes.items() if key != "tags"})
        self._active = _Active(attribution(**attributes), self)
        self._telemetry: Telemetry | None = None

    def __enter__(self) -> track:
        self._active.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active.__exit__(kind, error, trace)
        self._close(error)

    async def __aenter__(self) -> track:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _open(self, scope: Scope) -> None:
        runtime = current_runtime()
        if runtime is not None:
            self._telemetry = runtime.telemetry
            attributes = attribution_attributes(current())
            attributes |= {s.GENOPS_CALL_ID: scope.call_id, s.GENOPS_COST_ROLE: "aggregate"}
            self.span = self._telemetry.open_scope(self.name, attributes)

    def _close(self, error: BaseException | None) -> None:
        if self._telemetry is not None:
            self._telemetry.close_scope(self.span, error)


class _Active:
    """Everything a block puts in force while its code runs; reusable, so that a generator can be in and out of it."""

    def __init__(self, governance: attribution, block: track) -> None:
        self._governance = governance
        self._block = block
        self._scope: Scope | None = None
        self._outer: Scope | Frame | None = None
        self._token: object | None = None

    def __enter__(self) -> None:
        self._governance.__enter__()
        self._block.cost.__enter__()
        self._outer = CURRENT.get()
        if self._scope is None:
            self._scope = Scope(new_id(time.time_ns() // 1_000_000), self._outer)
            self._block._open(self._scope)
        CURRENT.set(self._scope)
        if self._block._telemetry is not None:
            self._token = self._block._telemetry.attach(self._block.span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._block._telemetry is not None:
            self._block._telemetry.detach(self._token)
        CURRENT.set(self._outer)
        self._block.cost.__exit__(kind, error, trace)
        self._governance.__exit__(kind, error, trace)


def track_usage(name: str | None = None, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, sync or async, generator or not: each run of it is one `track` block.

    `name` defaults to the function's qualified name. A generator is inside its block only while it runs.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        tracked: Callable[P, R] = _tracked(function, lambda: track(name or function.__qualname__, **attributes))
        return tracked

    return decorate


def _tracked(function: Any, make_block: Callable[[], track]) -> Any:
    """`function`, of the same kind, each run of which happens in a block of its own."""
    make_block()  # refuse unknown attributes where the decorator stands
    if inspect.isasyncgenfunction(function):

        async def agenerator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            block = make_block()
            with _closing(block):
                async for item in run_inside(function, block._active)(*args, **kwargs):
                    yield item

        return functools.wraps(function)(agenerator)
    if inspect.isgeneratorfunction(function):

        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            block = make_block()
            with _closing(block):
                return (yield from run_inside(function, block._active)(*args, **kwargs))

        return functools.wraps(function)(generator)
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with make_block():
                return await function(*args, **kwargs)

        return functools.wraps(function)(coroutine)

    def plain(*args: Any, **kwargs: Any) -> Any:
        with make_block():
            return function(*args, **kwargs)

    return functools.wraps(function)(plain)


class _closing:
    """Ends a block's span when its generator is done with, however that happens."""

    def __init__(self, block: track) -> None:
        self._block = block

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block._close(None if isinstance(error, GeneratorExit) else error)


class production_workflow_context:
    """A workflow of several steps: `with production_workflow_context("onboarding", "acme") as (span, workflow_id):`.

    Every governed call inside carries the customer, the other attributes, and the workflow's name and id as tags.
    """

    def __init__(self, workflow_name: str, customer_id: str | None = None, **attributes: Any) -> None:
        self.workflow_id = new_id(time.time_ns() // 1_000_000)
        self.workflow_name = workflow_name
        tags = {**attributes.pop("tags", {}), "workflow_name": workflow_name, "workflow_id": self.workflow_id}
        self._block = track(workflow_name, customer_id=customer_id, tags=tags, **attributes)

    @property
    def cost(self) -> CostContext:
        """What the workflow has cost so far."""
        return self._block.cost

    def __enter__(self) -> tuple[Span, str]:
        self._block.__enter__()
        names: Mapping[str, str] = {
            s.GENOPS_WORKFLOW_NAME: self.workflow_name,
            s.GENOPS_WORKFLOW_ID: self.workflow_id,
        }
        self._block.span.set_attributes(names)
        return self._block.span, self.workflow_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, trace)

    async def __aenter__(self) -> tuple[Span, str]:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
