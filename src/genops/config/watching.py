"""Watching files: policy files and the kill switch take effect in running processes, without a restart.

A call looks at most once a second whether a file has changed, which is one system call for each file. Reading changed
policy files is left to a thread; until it is done, and whenever it fails, the rules that were in force stay in force.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from genops.config.files import read_file
from genops.config.shapes import Names, Table, Text, Value
from genops.core.budgets.forks import call_after_fork
from genops.core.errors import ConfigurationError, GenOpsError
from genops.core.killswitch import Stop
from genops.core.matching import MATCH_KEYS
from genops.core.rules.ruleset import RuleSet

__all__ = ["FileKillSwitch", "WatchedRules"]

_LOOK_EVERY_NS = 1_000_000_000
_log = logging.getLogger("genops.policy")
_STOP = Table(
    {
        "reason": Text("incident 4711"),
        "match": Table({key: Names("openai", single=True) for key in MATCH_KEYS}),
    }
)

_Stamp = tuple[int, int, int] | None


def _stamp(path: Path) -> _Stamp:
    """What changes when a file does; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class WatchedRules:
    """The rules in force, read again by `load` when one of the files, or of the folders they are in, changes.

    `load` returns the rules with the files that they come from.
    """

    def __init__(self, load: Callable[[], tuple[RuleSet, Iterable[Path]]]) -> None:
        self._load = load
        self._rules, files = load()
        self._watch(files)
        self._next_ns = -1  # look at once
        self._busy = threading.Lock()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        self._busy = threading.Lock()

    def _watch(self, files: Iterable[Path]) -> None:
        paths = dict.fromkeys(each for file in files for each in (file, file.parent))
        self._stamps: dict[Path, _Stamp] = {path: _stamp(path) for path in paths}

    def current(self, now_ns: int) -> RuleSet:
        """The rules in force at `now_ns`, in nanoseconds of the wall clock."""
        if not 0 <= self._next_ns - now_ns <= _LOOK_EVERY_NS:  # also when the clock was set back
            self._next_ns = now_ns + _LOOK_EVERY_NS
            if any(_stamp(path) != stamp for path, stamp in self._stamps.items()):
                self._reload_aside()
        return self._rules

    def _reload_aside(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._reload_and_free, name="genops-policy", daemon=True).start()
        except RuntimeError:  # no more threads, as when the interpreter ends: the next look tries again
            self._busy.release()

    def _reload_and_free(self) -> None:
        try:
            self.reload()
        finally:
            self._busy.release()

    def reload(self) -> bool:
        """Read the files again; False if they cannot be used, and then the last good rules stay in force."""
        before = {path: _stamp(path) for path in self._stamps}
        try:
            rules, files = self._load()
        except GenOpsError as error:
            self._stamps = before
            _log.warning("policy files were changed and cannot be used; the rules before stay in force:\n%s", error)
            return False
        self._watch(files)
        if rules.version != self._rules.version:
            _log.info("policy files were read again: %d rules, version %s", len(rules.rules), rules.version)
        self._rules = rules
        return True


class FileKillSwitch:
    """A kill switch that is on while a file is there, and always where `fixed`, from the environment, says so.

    The file may be empty: then all calls are stopped. A file that cannot be read stops all calls, too.
    """

    def __init__(self, path: Path, fixed: Stop | None = None) -> None:
        self.path = path
        self._fixed = fixed
        self._next_ns = -1  # look at once
        self._stamp: _Stamp = None
        self._stop: Stop | None = None

    def stop(self, now_ns: int) -> Stop | None:
        """The order in force, if there is one."""
        if self._fixed is not None:
            return self._fixed
        if not 0 <= self._next_ns - now_ns <= _LOOK_EVERY_NS:
            self._next_ns = now_ns + _LOOK_EVERY_NS
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                self._stop = None if stamp is None else self._read()
                self._stamp = stamp
        return self._stop

    def _read(self) -> Stop:
        try:
            document = read_file(self.path, asked_for_by="kill_switch")
            return Stop(source=str(self.path), **_STOP.read(Value(document.values, document)))
        except ConfigurationError as error:
            return Stop(source=str(self.path), reason=f"its file cannot be read: {error.message}")
