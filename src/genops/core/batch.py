"""Booking the items of a batch: many finished responses under one frame."""

from __future__ import annotations

from dataclasses import replace

from genops.core.frame import Frame
from genops.core.ids import derived_id, identifies
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.usage import Reading, Usage

__all__ = ["book_item"]


def book_item(frame: Frame, reading: Reading, item_id: str) -> LedgerEntry | None:
    """Book one answered request of a batch as a call of its own; None if this process has booked it before.

    `item_id` tells it apart where the answer has no id, as embeddings have none.
    The frame's attribution applies: that of whoever reads the results.
    """
    facts = frame.facts
    identity = reading.response_id if identifies(reading.response_id) else item_id
    if not frame.runtime.seen.first(facts.provider, identity):
        return None
    cost = frame.runtime.book.price(reading.usage or Usage(), frame.query(reading))
    entry = frame.make_entry(reading, cost, Outcome.COMPLETED, None)
    entry = replace(
        entry,
        service_tier=facts.processing or entry.service_tier,
        call_id=derived_id(facts.provider, identity),
        parent_call_id=frame.call_id,
        duration_ms=0.0,
    )
    frame.book_item(entry, reading, cost)
    return entry
