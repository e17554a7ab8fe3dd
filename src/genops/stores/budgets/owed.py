"""The journal of what a process owes the budget store: it survives the process, and another one tells the store.

Each process appends to a file of its own and holds a lock on it as long as it lives. Entries are told under the ids of
their calls, so one that is told twice counts once.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from pathlib import Path

from genops.core.alarms import warn_of_loss
from genops.core.budgets.forks import call_after_fork
from genops.core.budgets.outage import Owed
from genops.stores.budgets._rows import legs_from_text, legs_to_text

__all__ = ["FileOwedJournal"]

_log = logging.getLogger(__name__)
_PATTERN = "owed-*.jsonl"


class FileOwedJournal:
    """An `OwedJournal` in `directory`. Nothing here raises: a directory that cannot be written gives one warning."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._warned = False
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """Also in a child process, which has a file of its own."""
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path: Path | None = None

    def append(self, owed: Owed) -> None:
        row = [owed.id, legs_to_text(owed.legs), [str(each) for each in owed.actuals], owed.release]
        with self._lock:
            try:
                if self._descriptor is None:
                    self._open()
                assert self._descriptor is not None  # _open() made it
                os.write(self._descriptor, json.dumps(row).encode() + b"\n")
            except OSError as error:
                self._warn(error)

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._path = self.directory / f"owed-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def clear(self) -> None:
        with self._lock:
            if self._descriptor is not None and self._path is not None:
                self._path.unlink(missing_ok=True)
                os.close(self._descriptor)
                self._descriptor, self._path = None, None

    def adopt(self) -> list[Owed]:
        """What processes that are gone still owed; it is copied to the file of this one before theirs are removed."""
        found: list[Owed] = []
        try:
            paths = sorted(self.directory.glob(_PATTERN))
            for path in paths:
                if path != self._path:
                    found += self._adopt(path)
        except OSError as error:
            self._warn(error)
        return found

    def _adopt(self, path: Path) -> list[Owed]:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return []  # its process lives
            owed = [each for line in file.read().splitlines() if (each := _read(line)) is not None]
            for each in owed:
                self.append(each)
            path.unlink(missing_ok=True)
            return owed

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            warn_of_loss(
                _log,
                "what is owed to the budget store cannot be kept in %s (%s); it is lost if this process ends.\n"
                "  fix: make room there, or give another directory",
                self.directory,
                error,
            )


def _read(line: bytes) -> Owed | None:
    """One line of a journal; None for one that is torn."""
    try:
        name, legs, actuals, release = json.loads(line)
        return Owed(str(name), legs_from_text(legs), tuple(int(each) for each in actuals), bool(release))
    except (ValueError, TypeError):
        return None
