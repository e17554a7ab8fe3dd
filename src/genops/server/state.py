"""What the requests of one server share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genops.config.settings import Settings
from genops.server.access import Access

if TYPE_CHECKING:
    from genops.analytics import Source
    from genops.server.receiving import Receiver

__all__ = ["Changes", "ServerState"]


class Changes:
    """Tells whoever waits that the ledger has gained something. Ticked from any thread, awaited in any loop."""

    def __init__(self) -> None:
        self.count = 0  # how often it ticked
        self.closed = False
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def tick(self) -> None:
        """Wake everybody who waits."""
        with self._lock:
            self.count += 1
            waiting, self._waiting = self._waiting, {}
        for waiter, loop in waiting.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, waiter)

    def close(self) -> None:
        """Wake everybody for the last time: the server ends."""
        self.closed = True
        self.tick()

    async def after(self, seen: int, timeout_s: float) -> int:
        """Wait until it has ticked more than `seen` times, at most so long; return how often it has."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.count > seen or self.closed:
                return self.count
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting[waiter] = loop
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.pop(waiter, None)
        return self.count


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


@dataclass(slots=True, kw_only=True)
class ServerState:
    """One ledger directory, open for reading and receiving.

    `source` answers the named queries and may be asked from any thread. Without a `receiver` nothing is received.
    """

    source: Source
    directory: Path
    settings: Settings
    changed: Changes = field(default_factory=Changes)
    access: Access = field(default_factory=Access)
    receiver: Receiver | None = None
    refresh: Callable[[], object] = lambda: None  # brings the source up to this moment
    health: Callable[[], Mapping[str, Any]] = dict  # what the server says of itself, beside that it is there
