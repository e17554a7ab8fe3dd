"""The receiver: from a request of OTLP to what is durably in the ledger, and only then an answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.message import Message

from genops.server.otlp.answers import Refused
from genops.server.otlp.reading import Reader
from genops.server.otlp.signals import Signal, Taken
from genops.server.writing import Writer

__all__ = ["Receiver"]

_MOST_AT_ONCE = 64  # requests being read or written; each may hold 20 MiB
_READERS = 4


class Receiver:
    """Takes requests from any thread and any loop, as many at a time as memory allows."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="genops-read")
        self._in_flight = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def admitting(self) -> Iterator[None]:
        """Hold a place while a request is worked on. Raises `Refused` if there is none."""
        with self._lock:
            if self._in_flight >= _MOST_AT_ONCE:
                raise Refused(429, f"{_MOST_AT_ONCE} requests are in work.", retry_after_s=1)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    async def take(self, signal: Signal, parse: Callable[[], Message]) -> Taken:
        """Parse, read and write one request; return when it is durable. Raises `Refused`."""
        loop = asyncio.get_running_loop()
        batch, taken = await loop.run_in_executor(self._readers, lambda: self._reader.read(signal.name, parse()))
        if batch:
            await asyncio.wrap_future(self._writer.submit(batch))
        return taken

    def take_here(self, signal: Signal, message: Message) -> Taken:
        """The same in the calling thread, which waits. Raises `Refused`."""
        with self.admitting():
            batch, taken = self._reader.read(signal.name, message)
            if batch:
                self._writer.submit(batch).result()
        return taken

    def close(self) -> None:
        """Take nothing more."""
        self._readers.shutdown()
