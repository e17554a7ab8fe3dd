"""Budget stores: memory for one process, SQLite for one machine, Redis or Valkey for many."""

from genops.stores.budgets.memory import MemoryBudgetStore

__all__ = ["MemoryBudgetStore"]
