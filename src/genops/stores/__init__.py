"""Where ledger entries are kept."""

from genops.stores.journal import JournalLedger, open_ledger
from genops.stores.sqlite import LedgerReader, fold_journals

__all__ = ["JournalLedger", "LedgerReader", "fold_journals", "open_ledger"]
