"""The writer: the one thread that writes what was received, many requests in one transaction."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from genops.core._guarding import contained
from genops.server.otlp.answers import Refused
from genops.stores.received import Batch, ReceivedCalls

__all__ = ["Writer"]

_log = logging.getLogger(__name__)
_MOST_TOGETHER = 5000  # calls and spans in one transaction
_MOST_WAITING = 50_000  # of them, before senders are told to wait
_SETTLE_EVERY_S = 0.5
_WHEN_BUSY_S, _WHEN_FULL_S = 2, 30
_OUTSIDE = (sqlite3.OperationalError, OSError)  # not our fault, and may be over later


class Writer:
    """Writes batches in the order they come in. `gained` is called after each transaction that changed something."""

    def __init__(
        self, calls: ReceivedCalls, gained: Callable[[], None], clock: Callable[[], float] = time.time
    ) -> None:
        self.records = 0  # log records, spans, evaluations and alerts made durable so far
        self.problem: str | None = None  # why the last transaction failed
        self._calls = calls
        self._gained = gained
        self._clock = clock
        self._queue: queue.SimpleQueue[tuple[Batch, Future[None]] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="genops-write", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> Future[None]:
        """Have a batch written; the future is done when it is durable. Raises `Refused` when too much waits."""
        done: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise Refused(503, "the server is ending.", _WHEN_BUSY_S)
            if self._waiting and self._waiting + len(batch) > _MOST_WAITING:
                raise Refused(503, f"{self._waiting} records wait to be written.", _WHEN_BUSY_S)
            self._waiting += len(batch)
            self._queue.put((batch, done))
        return done

    def close(self) -> None:
        """Write what waits, book what is held, and end."""
        with self._lock:
            self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._settle(float("inf"))

    def _run(self) -> None:
        ending = False
        settle_at = 0.0
        while not ending:
            work, ending = self._next()
            for _, done in work:
                done.set_running_or_notify_cancel()  # a sender that left is no reason to write less
            if work:
                self._write(work)
            if time.monotonic() >= settle_at:
                self._settle(self._clock())
                settle_at = time.monotonic() + _SETTLE_EVERY_S

    def _next(self) -> tuple[list[tuple[Batch, Future[None]]], bool]:
        """What to write together, and whether it is the last."""
        found: list[tuple[Batch, Future[None]]] = []
        count = 0
        try:
            item = self._queue.get(timeout=_SETTLE_EVERY_S)
            while item is not None:
                found.append(item)
                count += len(item[0])
                if count >= _MOST_TOGETHER:
                    return found, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return found, False
        return found, True

    def _write(self, work: list[tuple[Batch, Future[None]]]) -> None:
        error = self._attempt(lambda: self._calls.write([batch for batch, _ in work], self._clock()))
        if error is not None and not isinstance(error, _OUTSIDE) and len(work) > 1:
            for each in work:  # our fault, with one of them: the others are none the worse for it
                self._write([each])
            return
        count = sum(len(batch) for batch, _ in work)
        with self._lock:
            self._waiting -= count
        for _, done in work:
            if done.cancelled():
                continue
            done.set_result(None) if error is None else done.set_exception(self._refusal(error))
        if error is None:
            self.records += count
            self.problem = None
            self._gained()

    def _settle(self, now: float) -> None:
        gained: list[int] = []
        error = self._attempt(lambda: gained.append(self._calls.settle(now)))
        if error is not None:
            self._refusal(error)
        elif gained != [0]:
            self._gained()

    def _attempt(self, work: Callable[[], object]) -> Exception | None:
        attempt = contained(_log, "writing what was received")
        with attempt:
            work()
        return attempt.error

    def _refusal(self, error: Exception) -> Refused:
        """What senders are told, and the log."""
        if not isinstance(error, _OUTSIDE):
            _log.error("a request could not be written: %r", error)
            return Refused(500, "the server could not make sense of the request.")
        busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        first = self.problem is None
        self.problem = f"the ledger in {self._calls.directory} cannot be written ({error})"
        if first:
            fix = "end what holds ledger.db locked" if busy else "make room, or serve another --ledger"
            _log.warning("%s; senders are told to try again.\n  fix: %s", self.problem, fix)
        return Refused(503, self.problem, _WHEN_BUSY_S if busy else _WHEN_FULL_S)
