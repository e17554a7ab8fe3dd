"""How a process ends: budgets are given back and telemetry is exported, on every way out that leaves time for it.

An interpreter that ends runs `atexit`. Children of `multiprocessing` do not, they leave after their finalizers; the
pool processes of Celery leave after a signal of its own; and SIGTERM ends a process that has no handler for it at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import wrapt
from opentelemetry import _logs, metrics, trace

from genops.core._guarding import contained, never_raises
from genops.core.runtime import current_runtime

__all__ = ["close_at_end", "end_process", "flush_on_sigterm"]

_log = logging.getLogger(__name__)
_DEADLINE_S = 5.0  # Docker waits 10 s after SIGTERM, Kubernetes 30
_AFTER_OTHERS = -1000  # priority of the finalizer: those of multiprocessing's own queues and pools go first
_BLOCKED_S = 0.5  # after which interrupted code goes on, as it may hold a lock that its end waits for
_MAY_HOLD_LOCKS = ("genops", "opentelemetry", "logging", "requests", "urllib3", "redis", "sqlite3")
_done = False


def close_at_end() -> None:
    """Close the runtime when this process ends, and in its children when they do. Calling twice is calling once."""
    global _done  # once per process, and inherited by its children
    if not _done:
        _done = True
        atexit.register(_close)
        wrapt.register_post_import_hook(_finalize_children, "multiprocessing.util")
        wrapt.register_post_import_hook(_close_with_celery, "celery.signals")


@never_raises
def _close() -> None:
    runtime = current_runtime()
    if runtime is not None:
        runtime.close()


def end_process() -> None:
    """Close the runtime and export what OpenTelemetry's providers hold, for at most a few seconds. Raises nothing."""
    _within(_DEADLINE_S, _end)


def _end() -> None:
    _close()
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()):
        flush = getattr(provider, "force_flush", None)
        if flush is not None:
            with contained(_log, "exporting telemetry at the end of the process"):
                flush()


def _within(seconds: float, action: Callable[[], None]) -> None:
    """Wait `seconds` at most for `action`: exporters heed no timeout of their own when they are flushed."""
    thread = threading.Thread(target=action, name="genops-end", daemon=True)
    with contained(_log, "ending the process"):  # no more threads, as when the interpreter ends
        thread.start()
        thread.join(seconds)


# -- children ----------------------------------------------------------------------------------------------------------


def _finalize_children(util: Any) -> None:
    """Have every child of multiprocessing end well, however it is started."""
    util.register_after_fork(end_process, lambda _: util.Finalize(None, end_process, exitpriority=_AFTER_OTHERS))


def _close_with_celery(signals: Any) -> None:
    signals.worker_process_shutdown.connect(_celery_process_ends, weak=False)


def _celery_process_ends(**_: Any) -> None:
    end_process()


# -- SIGTERM -----------------------------------------------------------------------------------------------------------


@never_raises
def flush_on_sigterm() -> None:
    """Have SIGTERM end this process after it has ended well, unless the program handles the signal itself.

    The process still dies of SIGTERM, and at once of a second one. A handler that the program sets later replaces ours.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    last = threading.Thread(target=_end_and_die, args=(number,), name="genops-sigterm", daemon=True)
    try:
        last.start()
    except RuntimeError:  # no more threads: the interpreter ends
        os.kill(os.getpid(), number)
        return
    last.join(_BLOCKED_S if _may_hold_locks(frame) else None)


def _end_and_die(number: int) -> None:
    try:
        end_process()
    finally:
        os.kill(os.getpid(), number)


def _may_hold_locks(frame: FrameType | None) -> bool:
    """Whether the interrupted code may hold what ending needs; then it has to go on meanwhile."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _MAY_HOLD_LOCKS:
            return True
        frame = frame.f_back
    return False
