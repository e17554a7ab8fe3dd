"""Recommendations: each rests on what the ledger shows, and a cheaper model on evaluations."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from tests.analytics.ledgers import evaluation, write
from tests.analytics.priced import BOOK, NOON, priced

from genops.analytics import Filters, open_source
from genops.analytics.recommend import Recommendation, recommend
from genops.core.evaluation import Evaluation
from genops.core.ledger import LedgerEntry


def _found(directory: Path, *entries: LedgerEntry | Evaluation) -> list[Recommendation]:
    source = open_source(write(directory, *entries))
    try:
        return recommend(source, Filters(), book=BOOK, at=NOON)
    finally:
        source.close()


def _calls(count: int, usage: dict[str, int | Decimal], first: int = 0, **more: object) -> list[LedgerEntry]:
    return [priced(str(first + number), usage, **more) for number in range(count)]  # type: ignore[arg-type]


def test_long_prompts_without_the_cache(tmp_path: Path) -> None:
    """The most that caching could save is the difference of the two prices: 1.25 USD a million, 4 million tokens."""
    found = {each.kind: each for each in _found(tmp_path, *_calls(40, {"input": 100_000, "output": 10}))}

    assert Decimal("5") == found["cache"].high
    assert Decimal("1") == found["prompt"].high
    assert 0 == found["cache"].low


def test_prompts_that_are_cached_are_left_alone(tmp_path: Path) -> None:
    """Nothing to say about a cache that is used."""
    kinds = {each.kind for each in _found(tmp_path, *_calls(40, {"input": 100, "cache_read": 3000, "output": 10}))}

    assert "cache" not in kinds


def test_batch_price_is_offered_and_not_to_what_was_a_batch(tmp_path: Path) -> None:
    """Half of the price of what was sent at once; nothing of what went at the batch price."""
    at_once = _found(tmp_path / "a", *_calls(40, {"input": 1000, "output": 100}))
    batched = _found(tmp_path / "b", *_calls(40, {"input": 1000, "output": 100}, tier="batch"))

    assert [Decimal("0.07")] == [each.high for each in at_once if each.kind == "batch"]
    assert [] == [each for each in batched if each.kind == "batch"]


def test_dear_tier_in_use_is_named(tmp_path: Path) -> None:
    """Priority at 4.25 and 17 instead of 2.5 and 10."""
    found = [
        each
        for each in _found(tmp_path, *_calls(20, {"input": 1000, "output": 100}, tier="priority"))
        if each.kind == "tier"
    ]

    assert [Decimal("0.049")] == [each.high for each in found]
    assert "priority" in found[0].how


def test_limits_far_above_what_is_used_hold_back_budget(tmp_path: Path) -> None:
    """Reserved 1 USD a call, used a hundredth; it is told as room, not as money, and comes last."""
    facts = {"reserved": Decimal(1), "actual": Decimal("0.01"), "accounting_unit": "USD", "budget_name": "org"}
    found = _found(tmp_path, *_calls(20, {"input": 1000, "output": 100}, **facts))

    assert ("max_tokens", Decimal("19.8"), False) == (found[-1].kind, found[-1].high, found[-1].is_spent)


def _evaluated(score: float, count: int = 30) -> list[LedgerEntry | Evaluation]:
    dear = _calls(30, {"input": 1000, "output": 100}, feature="answer", model="gpt-4o")
    cheap = _calls(30, {"input": 1000, "output": 100}, first=100, feature="answer", model="gpt-4o-mini")
    judged = [evaluation(f"d{each.call_id}", call_id=each.call_id, score=0.9, feature="answer") for each in dear]
    judged += [
        evaluation(f"c{each.call_id}", call_id=each.call_id, score=score, feature="answer") for each in cheap[:count]
    ]
    return [*dear, *cheap, *judged]


@pytest.mark.parametrize(
    ("score", "count", "named"), [(0.9, 30, True), (0.89, 30, True), (0.7, 30, False), (0.9, 29, False)]
)
def test_cheaper_model_needs_evidence(tmp_path: Path, score: float, count: int, named: bool) -> None:
    """As good on thirty evaluations of the same metric, or it is not named."""
    found = [each for each in _found(tmp_path, *_evaluated(score, count)) if each.kind == "model"]

    assert (["answer: gpt-4o -> gpt-4o-mini"] if named else []) == [each.subject for each in found]
    for each in found:
        assert 0 < each.low < each.high
        assert "accuracy" in each.why


def test_few_calls_are_no_ground(tmp_path: Path) -> None:
    """Nineteen calls recommend nothing."""
    assert [] == _found(tmp_path, *_calls(19, {"input": 100_000, "output": 10}))
