"""The days before the demo: copies of its calls, moved back in time, so that a chart has something to show.

They are marked: every copy has the tag demo=history. What the demo prints about itself leaves them out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from genops.cli.demo.app import JUDGED
from genops.core.evaluation import Evaluation
from genops.core.ids import new_id
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import open_ledger

__all__ = ["DAYS", "TAGS", "add_history"]

DAYS = 13
TAGS = {"demo": "history"}
_QUIET = (0.12, 0.3)  # the share of a weekend day's calls, and of an hour's at night
_OFFICE_HOURS = range(8, 19)
_GROWTH = 0.035  # a day
_THRESHOLD = 0.75


def add_history(directory: Path, entries: Sequence[LedgerEntry], now: datetime) -> int:
    """Append copies of `entries` for each of the days before `now`; return how many of them."""
    chance = random.Random(7)
    days = (_day(entries, now - timedelta(days=day), (1 - _GROWTH) ** day, chance) for day in range(DAYS, 0, -1))
    count = 0
    with closing(open_ledger(directory)) as ledger:
        for copy in chain.from_iterable(days):
            ledger.append(copy)
            count += 1
            if copy.feature in JUDGED and copy.outcome is Outcome.COMPLETED:
                ledger.append_evaluation(_judgement(copy, chance))
    return count


def _day(entries: Sequence[LedgerEntry], day: datetime, share: float, chance: random.Random) -> Iterator[LedgerEntry]:
    if day.weekday() >= 5:
        share *= _QUIET[0]
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    traces: dict[str | None, tuple[str, timedelta] | None] = {}
    for entry in entries:
        if entry.trace_id not in traces:
            at = timedelta(seconds=chance.uniform(0, 86_400))
            busy = at.seconds // 3600 in _OFFICE_HOURS or chance.random() < _QUIET[1]
            kept = chance.random() < share and busy
            traces[entry.trace_id] = (f"{chance.getrandbits(128):032x}", at) if kept else None
        found = traces[entry.trace_id]
        if found is None:
            continue
        started_at = midnight + found[1] + timedelta(milliseconds=chance.uniform(0, 4000))
        yield replace(
            entry,
            call_id=new_id(int(started_at.timestamp() * 1000)),
            parent_call_id=None,
            trace_id=found[0],
            started_at=started_at,
            tags={**entry.tags, **TAGS},
        )


def _judgement(entry: LedgerEntry, chance: random.Random) -> Evaluation:
    score = round(min(1.0, max(0.0, chance.gauss(0.87, 0.07))), 3)
    fields = ("call_id", "trace_id", "span_id", "team", "project", "environment", "customer_id", "feature", "tags")
    return Evaluation(
        evaluation_id=new_id(int(entry.started_at.timestamp() * 1000)),
        evaluated_at=entry.started_at + timedelta(milliseconds=entry.duration_ms),
        name="helpfulness",
        score=score,
        threshold=_THRESHOLD,
        passed=score >= _THRESHOLD,
        **{name: getattr(entry, name) for name in fields},
    )
