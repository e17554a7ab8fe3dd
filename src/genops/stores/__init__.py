"""Where ledger entries are kept."""
