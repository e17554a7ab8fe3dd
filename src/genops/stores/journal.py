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
from pathlib import Path

from genops.core.budgets.forks import Beat, call_after_fork
from genops.core.ledger import LedgerEntry
from genops.stores.sqlite import FOLD_PATIENCE_S, JOURNALS, fold_journals, prune

__all__ = ["JournalLedger", "open_ledger"]

_log = logging.getLogger(__name__)
_FOLD_EVERY_S = 1.0
_PRUNE_EVERY_S = 3600.0
_ROTATE_AT = 8 * 1024 * 1024  # bytes; a journal that is full is left behind, folded and removed


class JournalLedger:
    """A ledger directory, opened for appending. A `LedgerSink`.

    Nothing here raises into the application: when the directory cannot be written, entries are counted in `dropped` and
    one warning is given.
    """

    def __init__(self, directory: Path, *, retention_days: int | None = None, fsync: bool = False) -> None:
        self.directory = directory
        self.dropped = 0
        self._retention_days = retention_days
        self._fsync = fsync
        self._warned = False
        self._pruned = 0.0
        self._folding = Beat(self._fold_and_prune, _FOLD_EVERY_S, name="genops-ledger")
        self._descriptor: int | None = None
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """Also in a child process: the journal and the thread are the parent's."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # only here: the parent's stays open, and locked
        self._descriptor = None
        self._size = 0
        self._lock = threading.Lock()

    def append(self, entry: LedgerEntry) -> None:
        """Write one entry; when this returns it survives the end of the process, however abrupt."""
        line = entry.to_json() + b"\n"
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                self.dropped += 1
                self._warn(error)

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None  # _open() made it
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full: the torn line stays the last one of its file
            os.close(self._descriptor)  # a new journal is opened for the next entry
            self._descriptor = None
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        if self._fsync:
            os.fsync(self._descriptor)
        self._size += written
        if self._size >= _ROTATE_AT:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        """Open a journal of this process's own."""
        journals = self.directory / JOURNALS
        journals.mkdir(parents=True, exist_ok=True)
        path = journals / f"{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # says that the writer lives
        self._size = 0
        self._folding.start()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "the ledger in %s cannot be written (%s); calls go on, their entries are lost.\n"
                "  fix: make room, or set GENOPS_LEDGER_DIR to a directory that can be written",
                self.directory,
                error,
            )

    def _fold_and_prune(self) -> None:
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
        self._fold()

    def close(self) -> None:
        """Fold what is left and let go of the journal; appending again opens a new one."""
        self._folding.stop()
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        os.close(descriptor)
        self._fold()


def open_ledger(directory: Path, *, retention_days: int | None = None, fsync: bool = False) -> JournalLedger:
    """Return the ledger kept in `directory`; it is made when the first entry is written."""
    return JournalLedger(directory, retention_days=retention_days, fsync=fsync)
