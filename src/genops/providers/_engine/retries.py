"""Retries: how many requests a vendor's client sent for one call, its own retries included.

The call is one, with one entry; the span says how many attempts it took. Where an SDK has no such method (older ones,
other vendors), nothing is said.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import wrapt

from genops import semconv as s
from genops.core._guarding import never_raises
from genops.core.frame import CURRENT, Frame
from genops.providers._engine.ordering import is_ours
from genops.providers._engine.spec import Adapter

__all__ = ["count_retries"]


def count_retries(adapter: Adapter) -> None:
    """Watch the methods in which the SDK of `adapter` waits before it sends a request again; see `Adapter.retries`."""
    for target in adapter.retries:
        module, _, method = target.partition(":")
        wrapt.register_post_import_hook(partial(_watch, method), module)


@never_raises
def _watch(method: str, module: Any) -> None:
    class_name, _, name = method.partition(".")
    owner = getattr(module, class_name, None)
    original = getattr(owner, "__dict__", {}).get(name)
    if original is not None and not is_ours(original):
        setattr(owner, name, wrapt.FunctionWrapper(original, _counted))


def _counted(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    _count()
    return wrapped(*args, **kwargs)


@never_raises
def _count() -> None:
    frame = CURRENT.get()
    if isinstance(frame, Frame) and frame.entry is None and frame.span is not None:
        before = (getattr(frame.span, "attributes", None) or {}).get(s.GENOPS_CALL_ATTEMPTS, 1)
        frame.span.set_attribute(s.GENOPS_CALL_ATTEMPTS, before + 1)
