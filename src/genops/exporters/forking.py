"""Exporters in processes that fork: each process has connections of its own to the backend.

OpenTelemetry's exporters keep connections open. A child inherits them, and two processes that write to one of them mix
up their answers and, with TLS, break it. So an exporter is made anew in every child.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genops.core.budgets.forks import call_after_fork

__all__ = ["PerProcessExporter"]

_inherited: list[Any] = []  # exporters of a parent process: closing them here could harm it, or wait for its locks


class PerProcessExporter:
    """What `make` makes, in this process and anew in each child: an exporter of spans, metrics or log records."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = make()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        if self._made is not None:
            _inherited.append(self._made)
        self._made = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)
