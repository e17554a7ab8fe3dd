"""What is left of locks and of work in progress in a child process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HOLDING = """
import os, signal, sys, threading
signal.alarm(30)  # instead of hanging

def hold(lock):
    "Another thread has it, and has not let go of it when this process forks."
    has, go = threading.Event(), threading.Event()
    def work():
        with lock:
            has.set()
            go.wait()
    threading.Thread(target=work, daemon=True).start()
    has.wait()
    return go

def in_child(action):
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        action()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("child", status)
"""

LOCKS = {
    "errors": "from genops.core._guarding import _lock as lock",
    "attribution": "from genops.core.attribution import _base_lock as lock",
    "responses": "from genops.core.runtime import SeenResponses; thing = SeenResponses(); lock = thing._lock",
    "habits": "from genops.core.learning import Habits; thing = Habits(); lock = thing._lock",
    "tokens": "from genops.core.redaction.vault import Vault; thing = Vault(); lock = thing._lock",
    "journal": (
        "from genops.stores import open_ledger; from pathlib import Path; "
        "thing = open_ledger(Path('ledger')); lock = thing._lock"
    ),
}


def run(code: str, folder: object) -> str:
    result = subprocess.run(
        [sys.executable, "-c", HOLDING + code], cwd=str(folder), capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == result.returncode, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", LOCKS)
def test_lock_of_a_vanished_thread_is_free_in_the_child(name: str, tmp_path: object) -> None:
    """Whoever held it is not there to let go of it."""
    code = LOCKS[name].replace("lock = thing._lock", "get = lambda: thing._lock")
    code = code.replace("import _lock as lock", "import _lock; get = lambda: _lock")
    code = code.replace("import _base_lock as lock", "import _base_lock; get = lambda: _base_lock")
    shown = run(f"{code}\nhold(get())\nin_child(lambda: get().__enter__())", tmp_path)

    assert "child 0\n" == shown


def test_fork_waits_for_work_under_a_fork_lock(tmp_path: object) -> None:
    """What is done under it is done in the child, and both go on with it."""
    shown = run(
        """
from genops.core.budgets.forks import ForkLock
done, quiet = [], []
lock = ForkLock(quiet=lambda: quiet.append(len(done)))
def work():
    with lock:
        begun.set()
        while len(done) < 10_000:
            done.append(1)
begun = threading.Event()
threading.Thread(target=work).start()
begun.wait()
in_child(lambda: (lock.__enter__(), print(len(done), flush=True)))
with lock:
    print(quiet)
""",
        tmp_path,
    )

    assert "10000\nchild 0\n[10000]\n" == shown


def test_fork_from_under_the_lock_goes_on_after_a_while(tmp_path: object) -> None:
    """A signal handler that forks while its own thread has the lock: late is better than never."""
    shown = run(
        """
from genops.core.budgets import forks
forks._WAIT_S = 0.05
lock = forks.ForkLock()
with lock:
    in_child(lambda: lock.__enter__())
with lock:
    print("free")
""",
        tmp_path,
    )

    assert "child 0\nfree\n" == shown


def test_ticket_is_taken_once_and_not_in_a_child(tmp_path: object) -> None:
    """What began in the parent is the parent's to end."""
    shown = run(
        """
from genops.core.budgets.forks import Ticket
old = Ticket()
in_child(lambda: print(old.take(), Ticket().take(), flush=True))
print(old.take(), old.take())
""",
        tmp_path,
    )

    assert "False True\nchild 0\nTrue False\n" == shown
