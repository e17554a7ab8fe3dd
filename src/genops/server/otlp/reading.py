"""Reading: what a request of any signal says, for the ledger."""

from __future__ import annotations

from typing import Any

from genops.core.pricing import PriceBook
from genops.server.otlp.logs import read_logs
from genops.server.otlp.signals import Taken
from genops.server.otlp.spans import read_spans
from genops.stores.received import Batch

__all__ = ["Reader"]


class Reader:
    """Reads requests; spans of other instrumentations are priced with `book`. For any number of threads."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def read(self, signal: str, request: Any) -> tuple[Batch, Taken]:
        """What a request says, and how much of it was not taken. Metrics say nothing that the ledger does not."""
        if signal == "traces":
            return read_spans(request, self._book)
        if signal == "logs":
            return read_logs(request)
        return Batch(), Taken()
