"""The governed call: the guard above a vendor method and the meter below everybody else's wrappers.

The guard opens a frame, which may refuse before any spend. The meter sees the vendor's raw answer, reads its usage and
settles the frame. Between the two there is room for other instrumentations.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import wrapt

from genops.core import attribution, estimate
from genops.core._guarding import never_raises
from genops.core.attribution import Attribution
from genops.core.frame import CURRENT, CallFacts, Frame, open_frame
from genops.core.runtime import Runtime, current_runtime
from genops.providers._engine.batches import BatchSink
from genops.providers._engine.meters import ResponseProxy, settle_error, settle_response, stream_over
from genops.providers._engine.requests import (
    Place,
    biller_of,
    laid_over,
    model_key,
    model_of,
    named,
    parameters_of,
    place_of,
    rerouted,
    routed,
    unpacked,
)
from genops.providers._engine.spec import Adapter, Call, Shape
from genops.providers._engine.stepping import Active, Step, Stepped
from genops.providers._engine.streams import ManagerProxy, StreamProxy

__all__ = ["GovernedCall"]

_FACTS_KEPT = 256  # kinds of calls per method


class GovernedCall:
    """One `Call` of one `Adapter`, ready to be put around its methods.

    `guard`, `aguard`, `meter` and `ameter` have wrapt's signature `(wrapped, instance, args, kwargs)`.
    """

    def __init__(self, adapter: Adapter, call: Call) -> None:
        self.adapter = adapter
        self.call = call
        self.active = True
        self.mirrored = False  # somebody else wraps the method: their span says what was used
        self._parameters: tuple[str, ...] | None = None  # the names of the vendor's arguments
        self._facts: dict[tuple[Place, str | None, bool], CallFacts] = {}

    # -- guard ---------------------------------------------------------------------------------------------------------

    def guard(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around a method that answers directly."""
        runtime = current_runtime()
        if runtime is None or not self.active or self._is_open():
            return wrapped(*args, **kwargs)
        if args:
            args, kwargs = self._by_name(args, kwargs, wrapped)
        frame, kwargs = self._open(runtime, instance, kwargs, wrapped)
        if frame is None:
            return wrapped(*args, **kwargs)
        frame.owner = self
        if not self.call.inner or not frame.facts.streamed:
            with Active(frame):
                return wrapped(*args, **kwargs)
        with Step(frame):
            result = wrapped(*args, **kwargs)
        return result if frame.owner is None else Stepped(result, frame)

    async def aguard(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around a coroutine method: the call begins when it is awaited."""
        runtime = current_runtime()
        if runtime is None or not self.active or self._is_open():
            return await wrapped(*args, **kwargs)
        if args:
            args, kwargs = self._by_name(args, kwargs, wrapped)
        frame, kwargs = self._open(runtime, instance, kwargs, wrapped)
        if frame is None:
            return await wrapped(*args, **kwargs)
        frame.owner = self
        if not self.call.inner or not frame.facts.streamed:
            with Active(frame):
                return await wrapped(*args, **kwargs)
        with Step(frame):
            result = await wrapped(*args, **kwargs)
        return result if frame.owner is None else Stepped(result, frame)

    def manage(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around a method that returns a stream manager: the call begins when the manager is entered."""
        runtime = current_runtime()
        if runtime is None or not self.active:
            return wrapped(*args, **kwargs)
        governance, rest = attribution.split_call_attributes(kwargs)
        attributed = attribution.current(governance)

        def enter(manager: Any) -> Any:
            frame = self._frame(runtime, instance, rest, attributed, wrapped)
            if frame is None:
                return manager, manager.__enter__()
            manager = _made_anew(manager, wrapped, args, rest, frame)
            with Active(frame):
                stream = manager.__enter__()
            return manager, _meter_helper(frame, stream)

        async def aenter(manager: Any) -> Any:
            frame = self._frame(runtime, instance, rest, attributed, wrapped)
            if frame is None:
                return manager, await manager.__aenter__()
            manager = _made_anew(manager, wrapped, args, rest, frame)
            with Active(frame):
                stream = await manager.__aenter__()
            return manager, _meter_helper(frame, stream)

        return ManagerProxy(wrapped(*args, **rest), enter, aenter)

    def _is_open(self) -> bool:
        """Whether a guard above this one has opened the call, and it has not reached the vendor yet."""
        frame = CURRENT.get()
        return type(frame) is Frame and frame.owner is self

    def _by_name(self, args: Any, kwargs: dict[str, Any], method: Any) -> tuple[Any, dict[str, Any]]:
        """The arguments by name; as they are where that cannot be, which the vendor refuses."""
        parameters = self._parameters_of(method)
        if len(args) > len(parameters) or not kwargs.keys().isdisjoint(parameters[: len(args)]):
            return args, kwargs
        return (), named(args, kwargs, parameters)

    def _parameters_of(self, method: Any) -> tuple[str, ...]:
        if self._parameters is None:
            self._parameters = parameters_of(method)
        return self._parameters

    def _open(
        self, runtime: Runtime, instance: Any, kwargs: dict[str, Any], method: Any
    ) -> tuple[Frame | None, dict[str, Any]]:
        """The frame, None after a fault of ours, and the arguments to call the vendor with. Raises `GenOpsBlocked`."""
        governance, kwargs = attribution.split_call_attributes(kwargs)
        attributed = attribution.current(governance)
        frame = self._frame(runtime, instance, kwargs, attributed, method)
        if frame is None:
            return None, kwargs
        if frame.changes:
            if self.adapter.routed and "model" in frame.changes:
                frame.changes["model"] = rerouted(kwargs.get("model"), frame.changes["model"])
            within = f"{self.call.packed}." if self._unpacked(kwargs) is not kwargs else ""
            kwargs = laid_over(kwargs, {within + key: value for key, value in frame.changes.items()})
        if frame.facts.streamed and self.call.usage_option is not None:
            kwargs = self._ask_for_usage(frame, kwargs)
        return frame, kwargs

    def _unpacked(self, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request, also where an argument holds all of it."""
        return (unpacked(kwargs, self.call.packed) or kwargs) if self.call.packed else kwargs

    @never_raises
    def _limit_key(self, method: Any, kwargs: Mapping[str, Any]) -> str | None:
        """The argument that limits the output, among those that this version of the SDK takes."""
        accepted = None if self.call.packed else self._parameters_of(method)  # what can be packed has no list of names
        return estimate.output_limit_key(kwargs, self.call.api, accepted)

    @never_raises
    def _frame(
        self,
        runtime: Runtime,
        instance: Any,
        kwargs: dict[str, Any],
        attributed: Attribution,
        method: Any,
    ) -> Frame | None:
        """Open the call. `method` is the vendor's, which takes the arguments."""
        request = self._unpacked(kwargs)
        model = model_of(self.call.model, instance, request)
        if self.adapter.routed:
            place, model = routed(self.adapter, model, request)
        else:
            place = place_of(self.adapter, instance)
        facts = self.facts(place, model, self.call.streamed or request.get("stream") is True)
        limit_key = self._limit_key(method, request) if runtime.may_change_requests else None
        outer = CURRENT.get()
        if isinstance(outer, Frame) and outer.entry is None:
            outer.give_back()  # a router called us: what it reserved is what we are about to
        frame = open_frame(
            runtime,
            facts,
            request,
            attributed,
            changeable=True,
            limit_key=limit_key,
            model_key=model_key(self.call.model, request),
        )
        frame.mirrored = self.mirrored
        return frame

    def facts(self, place: Place, model: str | None, streamed: bool) -> CallFacts:
        """What is known of such a call before it is made; the same object for the same kind of call."""
        key = place, model, streamed
        facts = self._facts.get(key)
        if facts is None:
            if len(self._facts) >= _FACTS_KEPT:
                self._facts.clear()
            facts = self._facts[key] = self._facts_of(*key)
        return facts

    def _facts_of(self, place: Place, model: str | None, streamed: bool) -> CallFacts:
        call = self.call
        host, port, billed, placed = place
        provider, region = biller_of(host, billed, placed)
        return CallFacts(
            provider=provider,
            api=call.api,
            operation=call.operation,
            operation_type=call.operation_type,
            operation_name=f"{self.adapter.name}.{call.name}",
            request_model=model,
            server_address=host,
            server_port=port,
            region=region,
            streamed=streamed,
            processing=call.processing,
        )

    def _ask_for_usage(self, frame: Frame, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Have the stream report usage, unless the application said whether it should."""
        accepting = self.adapter.usage_option_providers
        if (frame.facts.provider not in accepting and "*" not in accepting) or _reads_raw_body(kwargs):
            return kwargs
        option, _, key = str(self.call.usage_option).partition(".")
        given = kwargs.get(option)
        if not key:
            frame.hide_usage_chunk = not given
            return kwargs | {option: True}
        if isinstance(given, Mapping):
            if key in given:
                return kwargs
        elif given is not None and type(given).__name__ not in ("NotGiven", "Omit"):
            return kwargs
        frame.hide_usage_chunk = True
        return kwargs | {option: {**(given if isinstance(given, Mapping) else {}), key: True}}

    # -- meter ---------------------------------------------------------------------------------------------------------

    def meter(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Directly around the vendor's method."""
        frame = self._claim()
        if frame is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            settle_error(frame, error)
            raise
        return self._observe(frame, result)

    async def ameter(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Directly around the vendor's coroutine method."""
        frame = self._claim()
        if frame is None:
            return await wrapped(*args, **kwargs)
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            settle_error(frame, error)
            raise
        return self._observe(frame, result)

    def each(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around a method that sends one request: the first of them is the guarded call, the others are new ones."""
        if self._is_open():
            return self.meter(wrapped, instance, args, kwargs)
        metered = wrapt.FunctionWrapper(wrapped, self.meter)
        return self.guard(metered, instance, args, kwargs)

    async def aeach(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around a coroutine method that sends one request."""
        if self._is_open():
            return await self.ameter(wrapped, instance, args, kwargs)
        metered = wrapt.FunctionWrapper(wrapped, self.ameter)
        return await self.aguard(metered, instance, args, kwargs)

    def _claim(self) -> Frame | None:
        """The frame our own guard opened for this call, the first time it is asked for."""
        frame = CURRENT.get()
        if isinstance(frame, Frame) and frame.owner is self:
            frame.owner = None
            return frame
        return None

    def _observe(self, frame: Frame, result: Any) -> Any:
        observed = _observed(frame, result, self.call)
        return result if observed is None else observed


@never_raises
def _observed(frame: Frame, result: Any, call: Call) -> Any:
    """What the application gets in place of `result`; settles the frame now or when the body has been read."""
    if call.shape is Shape.BATCH_RESULTS:
        sink = BatchSink(frame)
        if hasattr(result, "__next__") or hasattr(result, "__anext__"):
            return StreamProxy(result, sink)
        return sink.read(result)
    if _is_raw(result):
        return ResponseProxy.over(result, frame)
    if frame.facts.streamed and (hasattr(result, "__iter__") or hasattr(result, "__aiter__")):
        return stream_over(frame, result, call)
    settle_response(frame, result)
    return result


def _is_raw(result: Any) -> bool:
    """Whether a result is a vendor's raw response. Asked once per type: pydantic takes long to say what it lacks."""
    known = _raw_types.get(type(result))
    if known is None:
        if len(_raw_types) >= _FACTS_KEPT:
            _raw_types.clear()
        known = _raw_types[type(result)] = hasattr(result, "http_response")
    return known


_raw_types: dict[type, bool] = {}


def _made_anew(manager: Any, method: Any, args: Any, kwargs: Mapping[str, Any], frame: Frame) -> Any:
    """The stream manager for the request as it is to be sent; nothing has been sent by the first one."""
    if not frame.changes:
        return manager
    for held in vars(manager).values():
        if inspect.iscoroutine(held):
            held.close()  # it will never be awaited
    return method(*args, **laid_over(kwargs, frame.changes))


@never_raises
def _meter_helper(frame: Frame, stream: Any) -> Any:
    """Meter the raw stream that a vendor's helper stream reads from."""
    stream._raw_stream = stream_over(frame, stream._raw_stream)
    return stream


def _reads_raw_body(kwargs: Mapping[str, Any]) -> bool:
    """`with_streaming_response` may hand out the body line by line, where a chunk we asked for could not be hidden."""
    headers = kwargs.get("extra_headers")
    return isinstance(headers, Mapping) and any(
        str(name).lower() == "x-stainless-raw-response" and value == "stream" for name, value in headers.items()
    )
