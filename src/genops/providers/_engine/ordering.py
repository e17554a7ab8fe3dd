"""Ordering: our guard above and our meter below everybody else's wrappers of a method, whoever came first.

Others wrap with wrapt, as we do: one can be put under theirs by giving theirs something else to wrap. Where that is
impossible, guard and meter stay together outside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import wrapt

from genops.core._guarding import never_raises

__all__ = ["chain", "is_ours", "keep_in_order", "lowest_foreign", "wrapped_by_others"]

_INSTRUMENTOR = "opentelemetry.instrumentation.instrumentor"
_PATCHED_ON_IMPORT = ("langfuse.openai",)  # wraps methods when it is imported, without an instrumentor


def chain(method: Any) -> Iterator[Any]:
    """A method and what it wraps, down to the vendor's function."""
    seen = set()
    while method is not None and id(method) not in seen:
        seen.add(id(method))
        yield method
        method = getattr(method, "__wrapped__", None)


def is_ours(wrapper: Any) -> bool:
    """Whether a wrapper is one of GenOps."""
    return (getattr(getattr(wrapper, "_self_wrapper", None), "__module__", None) or "").startswith("genops.")


def _foreign(method: Any) -> list[Any]:
    return [each for each in chain(method) if hasattr(each, "__wrapped__") and not is_ours(each)]


def wrapped_by_others(method: Any) -> bool:
    """Whether somebody else has wrapped a method, too."""
    return any(_is_wrapper(each) for each in _foreign(method))


def _is_wrapper(each: Any) -> bool:
    """Whether it wraps to watch; vendors wrap their own methods to check arguments, with `functools.wraps`."""
    module = getattr(getattr(each, "_self_wrapper", None), "__module__", None)
    return module is not None and not module.startswith("genops.")


def lowest_foreign(method: Any) -> Any:
    """The wrapper of somebody else nearest to the vendor's function that another can be put under; None without one."""
    found = [each for each in _foreign(method) if isinstance(each, wrapt.ObjectProxy) and _is_wrapper(each)]
    return found[-1] if found else None


def keep_in_order(lower: Callable[[], None], raise_again: Callable[[], None]) -> None:
    """Have `raise_again` called after anybody instruments or is taken off, and `lower` before that.

    A peer that is taken off removes whatever is outermost; so our guards step aside while it does.
    """

    def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        _quietly(lower)
        try:
            return wrapped(*args, **kwargs)
        finally:
            _quietly(raise_again)

    def wrap(module: Any) -> None:
        for name in ("instrument", "uninstrument"):
            method = module.BaseInstrumentor.__dict__[name]
            if not is_ours(method):
                setattr(module.BaseInstrumentor, name, wrapt.FunctionWrapper(method, around))

    wrapt.register_post_import_hook(wrap, _INSTRUMENTOR)
    for name in _PATCHED_ON_IMPORT:
        if name not in sys.modules:
            wrapt.register_post_import_hook(lambda module: _quietly(raise_again), name)


@never_raises
def _quietly(step: Callable[[], None]) -> None:
    step()
