"""Budget stores: memory for one process, SQLite for one machine, Redis or Valkey for many."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from genops.core.budgets.store import BudgetStore
from genops.core.errors import ConfigurationError
from genops.stores.budgets.memory import MemoryBudgetStore
from genops.stores.budgets.redis import RedisBudgetStore
from genops.stores.budgets.redis_urls import SCHEMES
from genops.stores.budgets.sqlite import SQLiteBudgetStore

__all__ = ["MemoryBudgetStore", "RedisBudgetStore", "SQLiteBudgetStore", "open_budget_store"]


def open_budget_store(url: str, *, namespace: str = "default", timeout_s: float | None = None) -> BudgetStore:
    """Return the store at `url`: memory:, sqlite:/var/lib/genops/budgets.db (or a plain path), or a Redis URL.

    `timeout_s` bounds one operation. Raises `ConfigurationError`, or `NotInstalled` without redis-py.
    """
    scheme, colon, rest = url.partition(":")
    if url in ("memory", "memory:"):
        return MemoryBudgetStore()
    if "://" in url and scheme != "sqlite":
        return RedisBudgetStore(url, namespace=namespace, timeout_s=timeout_s or 0.5)
    path = url
    if colon and scheme == "sqlite":
        path = urlsplit(url).path if rest.startswith("//") else rest
    if not path.strip("/ ") or (colon and scheme in SCHEMES):
        raise ConfigurationError(
            f"the budget store {url!r} is no place to keep budgets.",
            fix="sqlite:/var/lib/genops/budgets.db, or redis://host:6379/0",
        )
    return SQLiteBudgetStore(Path(path).expanduser(), timeout_s=timeout_s or 5.0)
