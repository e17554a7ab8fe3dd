"""What objects do around `fork`: a lock that a vanished thread held is never released, and a child starts anew.

A child process has one thread, and the memory of its parent as it was at that moment. So locks are free in it, work
under a `ForkLock` is never half done in it, and calls that are in flight are the parent's.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["Beat", "ForkLock", "Ticket", "call_after_fork", "new_lock"]

_WAIT_S = 5.0  # for work under a ForkLock to end; longer than a store waits for other processes
_methods: list[weakref.WeakMethod[Callable[[], None]]] = []
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_fork_locks: weakref.WeakSet[ForkLock] = weakref.WeakSet()
_beats: weakref.WeakSet[Beat] = weakref.WeakSet()
_generation = 0  # of this process: one more than its parent's


def call_after_fork(method: Callable[[], None]) -> None:
    """Have the bound `method` called in every child process, as long as its object lives."""
    _methods[:] = [known for known in _methods if known() is not None]
    _methods.append(weakref.WeakMethod(method))


def new_lock() -> threading.Lock:
    """A lock that is free in every child process, whoever held it. For work that may be half done there."""
    lock = threading.Lock()
    _locks.add(lock)
    return lock


class ForkLock:
    """A lock that a process takes before it forks, so that what is done under it is done or not begun in the child.

    `quiet` is called with it before: it lets go of what must not be shared by two processes.
    """

    def __init__(self, quiet: Callable[[], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._quiet = quiet
        self._forking: int | None = None  # the thread that forks, if it got the lock
        _fork_locks.add(self)

    def acquire(self, timeout: float = -1) -> bool:
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Wait for the work that goes on; not for ever, as it may be this very thread's, seen from a signal handler."""
        if self._lock.acquire(timeout=_WAIT_S):
            self._forking = threading.get_ident()
            if self._quiet is not None:
                self._quiet()

    def after_fork(self) -> None:
        """In the parent."""
        if self._forking == threading.get_ident():
            self._forking = None
            self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock, self._forking = threading.Lock(), None


class Beat:
    """A thread that does something again and again. It rests while the process forks, and a child has none of it.

    Python warns, from 3.12 on, of a fork beside threads: a program that has none of its own is to see none of ours.
    """

    def __init__(self, action: Callable[[], None], every_s: float, *, name: str) -> None:
        self._action, self._every_s, self._name = action, every_s, name
        self._lock = new_lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._rests = False
        _beats.add(self)

    def start(self) -> None:
        """Begin, unless it beats already."""
        with self._lock:
            if self._thread is None:
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._ended,), name=self._name, daemon=True)
                self._thread.start()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(self._every_s):
            self._action()

    def stop(self) -> bool:
        """End, and wait for it, though not for ever; whether it was beating."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._ended.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_WAIT_S)
        return thread is not None

    def before_fork(self) -> None:
        self._rests = self.stop() or self._rests

    def after_fork(self) -> None:
        """In the parent."""
        if self._rests:
            self._rests = False
            self.start()

    def after_fork_in_child(self) -> None:
        self._thread, self._rests = None, False


class Ticket:
    """What may be done once, and only in the process in which it was made."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = [_generation]  # whoever pops it has it: list.pop is atomic

    def take(self) -> bool:
        """Whether the caller may do it."""
        try:
            return self._kept.pop() == _generation
        except IndexError:
            return False


def _before() -> None:
    for beat in list(_beats):
        beat.before_fork()
    for lock in list(_fork_locks):
        lock.before_fork()


def _in_parent() -> None:
    for lock in list(_fork_locks):
        lock.after_fork()
    for beat in list(_beats):
        beat.after_fork()


def _in_child() -> None:
    global _generation
    _generation += 1
    for lock in list(_locks):
        if lock.locked():
            lock.release()
    for fork_lock in list(_fork_locks):
        fork_lock.after_fork_in_child()
    for beat in list(_beats):
        beat.after_fork_in_child()
    for known in _methods.copy():  # what is called may add others
        method = known()
        if method is not None:
            method()


_register: Any = getattr(os, "register_at_fork", None)  # not on Windows, which does not fork
if _register is not None:
    _register(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
