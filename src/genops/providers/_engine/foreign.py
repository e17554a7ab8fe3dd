"""Foreign spans: what other instrumentations write about calls, beside what we do.

Inside a governed call their spans are mirrors: they are marked so, and the cost stays on ours. Outside of one, where no
adapter governs the provider, a span of a request to a model is priced from what it says when it ends.

A span can only be changed before it ends, and processors are told afterwards; so `end` of each span is replaced
on the object, when it starts. Source: OpenTelemetry Python SDK 1.28 to 1.45, `Span.end` and `SpanProcessor`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import wrapt
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from genops import semconv as s
from genops.core import attribution
from genops.core._guarding import never_raises
from genops.core.amounts import used_by
from genops.core.attributes import attribution_attributes
from genops.core.cost import Cost, CostSource, Unpriced
from genops.core.decision import Decision
from genops.core.frame import CURRENT, Frame
from genops.core.runtime import Runtime, current_runtime
from genops.providers._engine.dialects import Said, is_inference, said, watches_frameworks, watches_models

__all__ = ["ForeignSpans", "watch"]

_KEPT = 10_000  # spans remembered, open ones and those of governed calls
_BOOKED_KEPT = 1_000
_OURS = "genops"


class _Place:
    """An open span: what is above it, and whether something inside it is accounted for."""

    __slots__ = ("accounted", "parent")

    def __init__(self, parent: _Place | None) -> None:
        self.parent = parent
        self.accounted = False

    def account(self) -> None:
        """Mark everything above: it repeats what is inside."""
        place = self.parent
        while place is not None and not place.accounted:
            place.accounted = True
            place = place.parent


class ForeignSpans:
    """A span processor of OpenTelemetry's SDK; nothing of it raises."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, _Place] = OrderedDict()
        self._governed: OrderedDict[int, str] = OrderedDict()  # spans of governed calls, open or not: the call's id
        self._booked: deque[tuple[int, str]] = deque(maxlen=_BOOKED_KEPT)  # when a call began, and its model

    @never_raises
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Note where a span is, and have a look at it before it ends."""
        parent = trace.get_current_span(parent_context).get_span_context()
        identity = span.get_span_context().span_id
        place = _Place(self._open.get(parent.span_id) if parent.is_valid else None)
        _keep(self._open, identity, place)
        scope = getattr(getattr(span, "instrumentation_scope", None), "name", "")
        frame = CURRENT.get()
        if scope == _OURS:
            if span.kind is SpanKind.CLIENT:  # a call, and no block of them
                place.account()
                attributes = span.attributes or {}
                _keep(self._governed, identity, str(attributes.get(s.GENOPS_CALL_ID)))
                self._booked.append((span.start_time, str(attributes.get(s.GEN_AI_REQUEST_MODEL))))
            return
        # Some are told of a stream when it has ended: their spans begin outside of the call, below a span inside it.
        call_id = frame.call_id if isinstance(frame, Frame) else self._governed.get(parent.span_id)
        if call_id is None:
            _before_end(span, lambda: self._price(span, scope, place))
            return
        _keep(self._governed, identity, call_id)
        if isinstance(frame, Frame) and watches_models(scope):
            frame.mirrored = True
        _before_end(span, lambda: _mirror(span, call_id))

    def _price(self, span: Any, scope: str, place: _Place) -> None:
        """Book the request that a span stands for, if it is the innermost that does and nobody has booked it."""
        runtime = current_runtime()
        if runtime is None or place.accounted:
            return
        told = said(scope, span.attributes or {})
        if told is None:
            return
        place.account()
        model = told.facts.request_model or told.reading.response_model or ""
        identity = told.reading.response_id
        if (watches_frameworks(scope) and self._was_booked(span.start_time, model)) or (
            identity is not None and not runtime.seen.first(told.facts.provider, identity)
        ):
            span.set_attribute(s.GENOPS_COST_ROLE, "mirror")
            return
        self._booked.append((span.start_time, model))
        _book(runtime, span, told)

    def _was_booked(self, since_ns: int, model: str) -> bool:
        """Whether a call that asked for `model`, or was answered by it, was booked since; a version may follow it."""
        return any(
            began >= since_ns and (booked.startswith(model) or model.startswith(booked))
            for began, booked in self._booked
        )

    def on_end(self, span: Any) -> None:
        """Forget the span; what a call of ours was answered by is known now."""
        identity = span.get_span_context().span_id
        self._open.pop(identity, None)
        answered = (span.attributes or {}).get(s.GEN_AI_RESPONSE_MODEL)
        if answered is not None and identity in self._governed:
            self._booked.append((span.start_time, str(answered)))

    def _on_ending(self, span: Any) -> None:
        return None

    def shutdown(self) -> None:
        """Nothing is kept."""
        self._open.clear()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back."""
        return True


def _keep(among: OrderedDict[int, Any], identity: int, what: Any) -> None:
    among[identity] = what
    if len(among) > _KEPT:
        among.popitem(last=False)


def _before_end(span: Any, look: Any) -> None:
    end = span.end

    def ending(*args: Any, **kwargs: Any) -> Any:
        span.__dict__.pop("end", None)
        _quietly(look)
        return end(*args, **kwargs)

    span.end = ending


@never_raises
def _quietly(look: Any) -> None:
    look()


def _mirror(span: Any, call_id: str) -> None:
    """Mark the span of a request that we account for."""
    if is_inference(span.attributes or {}) is not None:
        span.set_attributes({s.GENOPS_CALL_ID: call_id, s.GENOPS_COST_ROLE: "mirror"})


def _book(runtime: Runtime, span: Any, told: Said) -> None:
    attributed = attribution.current({})
    frame = Frame(runtime, runtime.plans.of(told.facts, attributed), {})
    frame.decision, frame.span, frame.mirrored = Decision.of(()), _Unending(span), True
    frame.started_ns = span.start_time
    frame.started_at = datetime.fromtimestamp(span.start_time / 1e9, UTC)
    if told.malformed is None and told.reading.usage is not None:
        cost = runtime.book.price(told.reading.usage, frame.query(told.reading), lines=False)
    else:
        cost = Unpriced(str(told.malformed))
    if isinstance(cost, Cost):
        cost = cost._replace(source=CostSource.SPAN)
    span.set_attributes({s.GENOPS_CALL_ID: frame.call_id, **attribution_attributes(attributed)})
    frame.settle_at(told.reading, cost)
    if runtime.account is not None:
        runtime.account.charge(frame.call_id, frame.budgeted(), used_by(told.reading, cost))


class _Unending(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A span that its owner ends."""

    def end(self, end_time: int | None = None) -> None:
        return None


_watched: WeakValueDictionary[int, Any] = WeakValueDictionary()  # by identity: providers need not be hashable


@never_raises
def watch(provider: Any) -> None:
    """Have a look at the spans of a tracer provider, from here on; once for each. Without an SDK there are none."""
    add = getattr(provider, "add_span_processor", None)
    if add is not None and _watched.get(id(provider)) is not provider:
        _watched[id(provider)] = provider
        add(ForeignSpans())
