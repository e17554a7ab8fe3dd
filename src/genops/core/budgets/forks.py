"""What objects with locks do in a child process after `fork`: a lock that a vanished thread held is never released."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["call_after_fork"]

_methods: list[weakref.WeakMethod[Callable[[], None]]] = []


def call_after_fork(method: Callable[[], None]) -> None:
    """Have the bound `method` called in every child process, as long as its object lives."""
    _methods[:] = [known for known in _methods if known() is not None]
    _methods.append(weakref.WeakMethod(method))


def _in_child() -> None:
    for known in _methods.copy():  # what is called may add others
        method = known()
        if method is not None:
            method()


_register: Any = getattr(os, "register_at_fork", None)  # not on Windows, which does not fork
if _register is not None:
    _register(after_in_child=_in_child)
