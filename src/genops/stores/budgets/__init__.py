"""Budget stores: memory for one process, SQLite for one machine, Redis or Valkey for many."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from genops.core.budgets.store import BudgetStore
from genops.core.errors import ConfigurationError
from genops.stores.budgets.memory import MemoryBudgetStore
from genops.stores.budgets.redis import RedisBudgetStore
from genops.stores.budgets.sqlite import SQLiteBudgetStore

__all__ = ["MemoryBudgetStore", "RedisBudgetStore", "SQLiteBudgetStore", "open_budget_store"]


def open_budget_store(url: str, *, namespace: str = "default", timeout_s: float | None = None) -> BudgetStore:
    """Return the store at `url`: memory:, sqlite:/var/lib/genops/budgets.db (or a plain path), or a Redis URL.

    `timeout_s` bounds one operation. Raises `ConfigurationError`, or `NotInstalled` without redis-py.
    """
    limit = {} if timeout_s is None else {"timeout_s": timeout_s}
    scheme, colon, rest = url.partition(":")
    if url in ("memory", "memory:"):
        return MemoryBudgetStore()
    if colon and scheme == "sqlite":
        path = urlsplit(url).path if rest.startswith("//") else rest
        return SQLiteBudgetStore(_path(path, url), **limit)
    if "://" in url:
        return RedisBudgetStore(url, namespace=namespace, **limit)
    return SQLiteBudgetStore(_path(url, url), **limit)


def _path(text: str, url: str) -> Path:
    if not text.strip("/ "):
        raise ConfigurationError(
            f"the budget store {url!r} names no file.", fix="sqlite:/var/lib/genops/budgets.db, or redis://host:6379/0"
        )
    return Path(text).expanduser()
