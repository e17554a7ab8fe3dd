"""Attribution: for whom a call is made. Resolved once per call, immutable within it.

Sources, lowest to highest: derived < default (code) < file < environment and OpenTelemetry resource < context (blocks,
functions, incoming baggage) < call. The context is a context variable: it follows `await` and tasks by itself, and
threads through `propagate`.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from genops.core._stepping import run_inside
from genops.core.attribution_rules import AttributionRules, FieldRule, RuleMode, check
from genops.core.attribution_values import (
    ATTRIBUTION_FIELDS,
    NOTHING,
    Attribution,
    AttributionSources,
    Changes,
    fix_for,
    forget_warnings,
    missing_required,
    normalise,
    overlay,
    warn_once,
)
from genops.core.budgets.forks import new_lock

__all__ = [
    "ATTRIBUTION_FIELDS",
    "Attribution",
    "AttributionRules",
    "AttributionSources",
    "FieldRule",
    "RuleMode",
    "attribution",
    "check",
    "clear_context",
    "current",
    "fix_for",
    "get_context",
    "missing_required",
    "propagate",
    "read_incoming_with",
    "reset",
    "set_base",
    "set_context",
    "set_default_attributes",
    "split_call_attributes",
]

P = ParamSpec("P")
R = TypeVar("R")

_CALL_ATTRIBUTES = frozenset((*ATTRIBUTION_FIELDS, "tags"))
_NO_CHANGES: Mapping[str, Any] = {}


class _Base:
    """What applies outside every block. Replaced as a whole when a source changes: identity tells a stale snapshot."""

    __slots__ = ("attribution", "more_defaults", "sources", "unannounced")

    def __init__(self, sources: AttributionSources, more_defaults: Changes) -> None:
        self.sources = sources
        self.more_defaults = more_defaults
        self.attribution = sources.resolve(more_defaults)
        above = (sources.default, more_defaults, sources.file, sources.environment)
        self.unannounced = {  # derived values that are in force and of which no warning was given
            name: value for name, value in sources.derived.items() if not any(name in source for source in above)
        }


class _Layer:
    """Attributes set in a context, over those of the `below` layer. Its snapshot is merged once per base."""

    __slots__ = ("_merged", "below", "changes", "owner")

    def __init__(self, below: _Layer | None, changes: Mapping[str, Any], owner: object | None) -> None:
        self.below = below
        self.changes = changes
        self.owner = owner  # the block to which the layer belongs; None after `set_context`
        self._merged: tuple[_Base | None, Attribution] = (None, NOTHING)

    def snapshot(self, base: _Base) -> Attribution:
        merged_over, snapshot = self._merged
        if merged_over is not base:
            snapshot = overlay(base.attribution if self.below is None else self.below.snapshot(base), self.changes)
            self._merged = (base, snapshot)
        return snapshot


_layer: ContextVar[_Layer | None] = ContextVar("genops.attribution", default=None)
_base = _Base(AttributionSources(), {})
_base_lock = new_lock()
_read_incoming: Callable[[], Mapping[str, Any]] | None = None


# -- what a call reads -------------------------------------------------------------------------------------------------


def current(call_attributes: Mapping[str, Any] | None = None) -> Attribution:
    """Return the attribution of a call made here and now; while nothing changes, the same object. Leave its tags alone.

    `call_attributes` are the attributes given to the call itself. Raises `ConfigurationError` for an unknown one.
    """
    layer, base = _layer.get(), _base
    changes = normalise(call_attributes) if call_attributes else None
    if base.unannounced:
        _announce_derived(base, layer, changes or {})
    if _read_incoming is not None:
        snapshot = _with_incoming(base, layer, _read_incoming())
    else:
        snapshot = base.attribution if layer is None else layer.snapshot(base)
    return overlay(snapshot, changes) if changes else snapshot


def _with_incoming(base: _Base, layer: _Layer | None, incoming: Mapping[str, Any]) -> Attribution:
    """Baggage is part of the context, below what this process set itself."""
    if not incoming:
        return base.attribution if layer is None else layer.snapshot(base)
    merged = overlay(base.attribution, incoming)
    for each in reversed(tuple(_layers(layer))):
        merged = overlay(merged, each.changes)
    return merged


def _layers(layer: _Layer | None) -> Iterator[_Layer]:
    while layer is not None:
        yield layer
        layer = layer.below


def _announce_derived(base: _Base, layer: _Layer | None, changes: Changes) -> None:
    """Warn, at the first call that carries it, of a value that nobody gave."""
    for name, value in tuple(base.unannounced.items()):
        if name in changes or any(name in each.changes for each in _layers(layer)):
            continue
        base.unannounced.pop(name, None)
        origin = base.sources.origins.get(name, "derived")
        warn_once((name, value, origin), f"{name} is not set; using {value!r} ({origin}).\n  fix: {fix_for(name)}")


def split_call_attributes(kwargs: dict[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Separate the governance attributes of a call from the arguments that go to the vendor.

    `kwargs` is returned as it is when it has none of them, and is never changed.
    """
    if _CALL_ATTRIBUTES.isdisjoint(kwargs):
        return _NO_CHANGES, kwargs
    ours = {name: value for name, value in kwargs.items() if name in _CALL_ATTRIBUTES}
    return ours, {name: value for name, value in kwargs.items() if name not in _CALL_ATTRIBUTES}


# -- sources of the process --------------------------------------------------------------------------------------------


def set_base(sources: AttributionSources) -> None:
    """Put what the settings say in force for the process. `set_default_attributes` stays as it is, below the file."""
    global _base
    with _base_lock:
        _base = _Base(sources, _base.more_defaults)


def set_default_attributes(**attributes: Any) -> None:
    """Set attributes for every call of the process. genops.yaml, the environment, blocks and calls go before them.

    Later values replace earlier ones; what is not mentioned stays. Raises `ConfigurationError` for an unknown name.
    """
    global _base
    changes = normalise(attributes)
    with _base_lock:
        _base = _Base(_base.sources, _laid_over(_base.more_defaults, changes))


def reset() -> None:
    """Forget defaults, settings, this context's attributes, and which warnings were given."""
    global _base, _read_incoming
    with _base_lock:
        _base = _Base(AttributionSources(), {})
    _read_incoming = None
    forget_warnings()
    clear_context()


def read_incoming_with(read: Callable[[], Mapping[str, Any]] | None) -> None:
    """Have `read` give the attributes that came with the request in hand, for `genops.core.baggage`; None for none."""
    global _read_incoming
    _read_incoming = read


def _laid_over(below: Mapping[str, Any], changes: Changes) -> Changes:
    merged = {**below, **changes}
    if "tags" in below and "tags" in changes:
        merged["tags"] = {**below["tags"], **changes["tags"]}
    return merged


# -- the context -------------------------------------------------------------------------------------------------------


def set_context(**attributes: Any) -> None:
    """Set attributes for the calls that follow in this task or thread, until its block ends or `clear_context()`."""
    changes = normalise(attributes)
    if changes:
        _layer.set(_Layer(_layer.get(), changes, None))


def get_context() -> Attribution:
    """Return the attribution that a call made here and now would carry, as a copy."""
    snapshot = current()
    return replace(snapshot, tags=dict(snapshot.tags))


def clear_context() -> None:
    """Drop every attribute that blocks and `set_context` gave to this task or thread. Defaults stay."""
    _layer.set(None)


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` bound to the present context, to be run in another thread: `executor.submit(propagate(f), x)`.

    The callable may be used many times and from many threads at once; what it sets in its context stays there.
    """
    captured = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return captured.copy().run(function, *args, **kwargs)

    return run


class attribution:
    """Attributes for the calls made inside a block or a function.

    `with genops.attribution(team="search"):`, `async with`, or `@genops.attribution(team="search")` on a function, a
    coroutine function, a generator or an async generator. Blocks nest, the inner one wins; one object may be used many
    times and concurrently. Raises `ConfigurationError` for an unknown attribute.
    """

    __slots__ = ("_changes",)

    def __init__(self, **attributes: Any) -> None:
        self._changes = normalise(attributes)

    def __enter__(self) -> attribution:
        _layer.set(_Layer(_layer.get(), self._changes, self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # No token: a block may end in another context than it began in (an async fixture, a generator closed by the
        # loop). There, the block's layer is not found, and there is nothing to undo.
        _layer.set(_without(_layer.get(), self))

    async def __aenter__(self) -> attribution:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return run_inside(function, self)


def _without(top: _Layer | None, owner: object) -> _Layer | None:
    """Return the layers without the newest of `owner` and without what was set inside it.

    Blocks that began later and are still open stay: two blocks overlap when a generator suspends inside one of them.
    """
    above: list[_Layer] = []
    layer = top
    while layer is not None and layer.owner is not owner:
        above.append(layer)
        layer = layer.below
    if layer is None:
        return top
    while above and above[-1].owner is None:
        above.pop()
    kept = layer.below
    for later in reversed(above):
        kept = _Layer(kept, later.changes, later.owner)
    return kept
