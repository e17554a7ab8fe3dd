"""Following: a thread that keeps the analytics at the ledger's heels, whoever writes to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from genops.core._guarding import contained
from genops.server.state import Changes

__all__ = ["Follower"]

_log = logging.getLogger(__name__)
_EVERY_S = 1.0  # other processes write, too, and tell nobody
_NOT_WITHIN_S = 0.2  # many small loads cost more than one


class Follower:
    """Calls `advance` when poked and every second, and ticks `changed` when that gained something."""

    def __init__(self, advance: Callable[[], int], changed: Changes) -> None:
        self.problem: str | None = None  # why the last attempt failed
        self._advance = advance
        self._changed = changed
        self._poked, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="genops-follow", daemon=True)
        self._thread.start()

    def poke(self) -> None:
        """There may be something new."""
        self._poked.set()

    def close(self) -> None:
        """Advance once more, and end."""
        self._ending.set()
        self._poked.set()
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            self._poked.wait(_EVERY_S)
            ending = self._ending.wait(_NOT_WITHIN_S)
            self._poked.clear()
            self._follow()

    def _follow(self) -> None:
        gained: list[int] = []
        attempt = contained(_log, "advancing the analytics")
        with attempt:
            gained.append(self._advance())
        if attempt.error is not None and self.problem is None:
            _log.warning("the analytics do not follow the ledger (%s); it is tried again", attempt.error)
        self.problem = None if attempt.error is None else str(attempt.error)
        if any(gained):
            self._changed.tick()
