"""The journal: each process appends its entries to a file of its own, and a thread folds it into the database.

An entry is one `write` of one line to a file opened for appending: once `append` returns, the line is in the kernel and
survives `kill -9` of the process. `fsync=True` makes it survive a power cut, too, at about a millisecond per call.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from genops.core.alarms import warn_of_loss
from genops.core.budgets.forks import Beat, call_after_fork
from genops.core.evaluation import Evaluation
from genops.core.ledger import LedgerEntry
from genops.stores.sqlite import EVALUATIONS, FOLD_PATIENCE_S, JOURNALS, fold_journals, prune

__all__ = ["JournalLedger", "open_ledger"]

_log = logging.getLogger(__name__)
_FOLD_EVERY_S = 1.0
_PRUNE_EVERY_S = 3600.0
_MOST_WAITING = 10_000  # entries; about 10 MB
_ROTATE_AT = 8 * 1024 * 1024  # bytes; a journal that is full is left behind, folded and removed


class _Journal:
    """The file of one process for one kind of line; a full one is left behind for the next."""

    def __init__(self, folder: Path, fsync: bool, opened: Callable[[], None]) -> None:
        self._folder = folder
        self._opened = opened
        self._fsync = fsync
        self._descriptor: int | None = None
        self._size = 0

    def write(self, line: bytes) -> None:
        """Append one line, with its line end. Raises `OSError` if it could not be written whole."""
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None  # _open() made it
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full: the torn line stays the last one of its file
            self.close()  # a new journal is opened for the next entry
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        if self._fsync:
            os.fsync(self._descriptor)
        self._size += written
        if self._size >= _ROTATE_AT:
            self.close()

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # says that the writer lives
        self._size = 0
        self._opened()

    def close(self) -> bool:
        """Let go of the file; return whether one was open."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return False
        os.close(descriptor)  # after a fork, only in the child: the parent's stays open, and locked
        return True


class JournalLedger:
    """A ledger directory, opened for appending. A `LedgerSink` and an `EvaluationSink`.

    Nothing here raises into the application: while the directory cannot be written, one warning is given, and entries
    wait in memory. What finds no room there, or still waits at the end, is counted in `dropped`.
    """

    def __init__(self, directory: Path, *, retention_days: int | None = None, fsync: bool = False) -> None:
        self.directory = directory
        self.dropped = 0
        self._retention_days = retention_days
        self._warned = False
        self._waiting: deque[tuple[_Journal, bytes]] = deque()
        self._pruned = 0.0
        self._folding = Beat(self._fold_and_prune, _FOLD_EVERY_S, name="genops-ledger")
        self._calls = _Journal(directory / JOURNALS, fsync, self._folding.start)
        self._evaluations = _Journal(directory / EVALUATIONS, fsync, self._folding.start)
        self._lock = threading.Lock()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """In a child process: the journals and the thread are the parent's."""
        self._calls.close()
        self._evaluations.close()
        self._waiting.clear()
        self._lock = threading.Lock()

    def append(self, entry: LedgerEntry) -> None:
        """Write one entry; when this returns it survives the end of the process, however abrupt."""
        self._append(self._calls, entry.to_json())

    def append_evaluation(self, evaluation: Evaluation) -> None:
        """Write what an evaluation said, as durably as an entry."""
        self._append(self._evaluations, evaluation.to_json())

    def _append(self, journal: _Journal, line: bytes) -> None:
        with self._lock:
            if self._waiting and not self._catch_up():
                self._wait(journal, line)
                return
            try:
                journal.write(line + b"\n")
            except OSError as error:
                self._warn(error)
                self._wait(journal, line)

    def _wait(self, journal: _Journal, line: bytes) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((journal, line))
            self._folding.start()  # which tries again
        else:
            self.dropped += 1

    def _catch_up(self) -> bool:
        """Write what waits, the oldest first; return whether nothing waits any more."""
        while self._waiting:
            journal, line = self._waiting[0]
            try:
                journal.write(line + b"\n")
            except OSError as error:
                _log.debug("the ledger still cannot be written: %s", error)
                return False
            self._waiting.popleft()
        _log.info("the ledger in %s is written again", self.directory)
        self._warned = False
        return True

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            warn_of_loss(
                _log,
                "the ledger in %s cannot be written (%s); calls go on, and their entries wait in memory, %d at most. "
                "They are lost if the process ends before there is room.\n"
                "  fix: make room, or set GENOPS_LEDGER_DIR to a directory that can be written",
                self.directory,
                error,
                _MOST_WAITING,
            )

    def _write_what_waits(self) -> None:
        with self._lock:
            if self._waiting:
                self._catch_up()

    def _fold_and_prune(self) -> None:
        self._write_what_waits()
        self._fold(_FOLD_EVERY_S)  # no longer: a fork waits for it
        if self._retention_days is not None and time.monotonic() - self._pruned > _PRUNE_EVERY_S:
            self._pruned = time.monotonic()
            self._prune(self._retention_days)

    def _fold(self, patience_s: float = FOLD_PATIENCE_S) -> None:
        try:
            fold_journals(self.directory, patience_s)
        except (OSError, sqlite3.Error) as error:
            _log.debug("folding the journal failed and will be tried again: %s", error)

    def _prune(self, retention_days: int) -> None:
        try:
            prune(self.directory, retention_days)
        except (OSError, sqlite3.Error) as error:
            _log.debug("pruning the ledger failed and will be tried again: %s", error)

    def flush(self) -> None:
        """Have everything appended so far in the database."""
        self._write_what_waits()
        self._fold()

    def close(self) -> None:
        """Fold what is left and let go of the journals; appending again opens new ones."""
        self._folding.stop()
        with self._lock:
            if self._waiting and not self._catch_up():
                self.dropped += len(self._waiting)
                self._waiting.clear()
            if self.dropped:
                message = "%d entries are lost: the ledger in %s could not be written"
                warn_of_loss(_log, message, self.dropped, self.directory)
            opened = [self._calls.close(), self._evaluations.close()]
        if any(opened):
            self._fold()


def open_ledger(directory: Path, *, retention_days: int | None = None, fsync: bool = False) -> JournalLedger:
    """Return the ledger kept in `directory`; it is made when the first entry is written."""
    return JournalLedger(directory, retention_days=retention_days, fsync=fsync)
