"""What is peculiar to SQLite: network file systems, a file that cannot be used, a writer that does not let go."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from genops.core.errors import BudgetStoreError, ConfigurationError, NotInstalled
from genops.stores.budgets import redis_urls, sqlite
from genops.stores.budgets.filesystems import filesystem_of, is_network
from genops.stores.budgets.sqlite import SQLiteBudgetStore

MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/ada/scratch tmpfs rw 0 0
//nas/share /mnt/a\\040b cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/var/lib/genops/budgets.db", "ext4", False),
        ("/home/ada/budgets.db", "nfs4", True),
        ("/home/ada/scratch/budgets.db", "tmpfs", False),
        ("/mnt/a b/budgets.db", "cifs", True),
        ("/homes/budgets.db", "ext4", False),
    ],
)
def test_file_system_is_that_of_the_nearest_mount(path, kind, network):
    """Whether SQLite can lock there."""
    found = filesystem_of(Path(path), MOUNTS)

    assert (kind, network) == (found, is_network(found))


def test_network_file_system_is_refused(tmp_path, monkeypatch):
    """Before anything is overspent, with what to use instead."""
    monkeypatch.setattr(sqlite, "filesystem_of", lambda path: "nfs4")
    with pytest.raises(ConfigurationError, match="network file system") as caught:
        SQLiteBudgetStore(tmp_path / "budgets.db")
    assert "redis://" in str(caught.value.fix)


def test_file_that_is_no_database_is_a_store_error(tmp_path):
    """`on_store_error` is for that, too."""
    (tmp_path / "budgets.db").write_text("this is no database, and it is long enough to be looked at " * 20)

    with pytest.raises(BudgetStoreError, match="cannot be used"):
        SQLiteBudgetStore(tmp_path / "budgets.db").usage(["a||total@0"])


def test_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")

    with pytest.raises(BudgetStoreError, match="cannot be used"):
        SQLiteBudgetStore(tmp_path / "file" / "budgets.db").usage(["a||total@0"])


def test_writer_that_holds_the_file_is_waited_for_so_long_and_no_longer(tmp_path):
    """Then it works again at once."""
    store = SQLiteBudgetStore(tmp_path / "budgets.db", timeout_s=0.2)
    store.usage(["a||total@0"])
    other = sqlite3.connect(tmp_path / "budgets.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BudgetStoreError, match="locked"):
        store.usage(["a||total@0"])
    threading.Timer(0.05, other.execute, ["COMMIT"]).start()

    assert 0 == store.usage(["a||total@0"])[0].spent
    other.close()
    store.close()


def test_missing_redis_package_says_what_to_install(monkeypatch):
    """Asked for by name and not there: raise."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(redis_urls.importlib, "import_module", missing)
    with pytest.raises(NotInstalled) as caught:
        redis_urls.errors_of("redis://localhost")
    assert "pip install 'genops-ai[redis]'" == caught.value.fix


def test_password_is_not_shown():
    """User and host are."""
    assert "rediss://ada:***@cache:6380/1" == redis_urls.without_password("rediss://ada:s3cret@cache:6380/1?x=y")
    assert "redis://cache:6379" == redis_urls.without_password("redis://cache:6379")
