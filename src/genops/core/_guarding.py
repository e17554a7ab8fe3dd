"""The boundary that keeps GenOps' own faults away from the application.

`GenOpsBlocked` passes: a refusal is an answer, not a fault. So does every BaseException that is not an Exception
(KeyboardInterrupt, task cancellation). Anything else is logged at debug, counted, and goes no further.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from genops.core.budgets.forks import new_lock
from genops.core.errors import GenOpsBlocked

__all__ = ["contained", "error_count", "errors_by_type", "never_raises"]

P = ParamSpec("P")
R = TypeVar("R")

_lock = new_lock()
_errors: Counter[str] = Counter()


def error_count() -> int:
    """How many faults of GenOps were contained in this process."""
    return _errors.total()


def errors_by_type() -> dict[str, int]:
    """How many of each type of exception."""
    with _lock:
        return dict(_errors)


def never_raises(function: Callable[P, R]) -> Callable[P, R | None]:
    """Decorate a function or coroutine function of ours that runs inside the application: a fault gives None."""
    log = logging.getLogger(function.__module__)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            with contained(log, function.__qualname__):
                return await function(*args, **kwargs)

        return coroutine  # type: ignore[return-value]  # a coroutine function, as `function` is

    if _takes_self_and_one(function):  # called for every chunk of a stream: no packing of arguments

        @functools.wraps(function)
        def method(self: Any, value: Any) -> Any:
            try:
                return function(self, value)  # type: ignore[call-arg]  # its signature, by the test above
            except GenOpsBlocked:
                raise
            except Exception as error:
                _note(log, function.__qualname__, error)
                return None

        return method  # type: ignore[return-value]

    @functools.wraps(function)
    def plain(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except GenOpsBlocked:
            raise
        except Exception as error:
            _note(log, function.__qualname__, error)
            return None

    return plain


def _takes_self_and_one(function: Callable[..., Any]) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    return (
        len(parameters) == 2
        and parameters[0].name == "self"
        and all(each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty for each in parameters)
    )


class contained:
    """A block of ours inside the application: `with contained(log, "what it does"):` ends at the first fault.

    `error` is that fault.
    """

    __slots__ = ("_log", "_what", "error")

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self.error: Exception | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, GenOpsBlocked):
            return False
        self.error = error
        _note(self._log, self._what, error)
        return True


def _note(log: logging.Logger, what: str, error: BaseException) -> None:
    with _lock:
        _errors[type(error).__qualname__] += 1
    log.debug("%s failed inside genops; the application goes on", what, exc_info=error)
