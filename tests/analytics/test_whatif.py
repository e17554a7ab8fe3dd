"""What if: the calls at another model's prices, as a range that says why it is one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.ledgers import write
from tests.analytics.priced import BOOK, NOON, priced

from genops.analytics import Filters, Source, open_source
from genops.analytics.whatif import ModelUsage, WhatIf, read_usage, what_if
from genops.core.comparing import TokenRatios
from genops.core.errors import ConfigurationError

ONE = (Decimal(1), Decimal(1))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    found = open_source(
        write(
            tmp_path,
            priced("1", {"input": 1000, "output": 100}),
            priced("2", {"input": 3000, "output": 300}),
            priced("3", {"input": 500}, model="text-embedding-3-small"),
            priced("4", {"input": 10, "output": 1}, model="nobody-1"),
        )
    )
    yield found
    found.close()


def _what_if(source: Source, model: str, provider: str = "openai", ratios: TokenRatios | None = None) -> WhatIf:
    return what_if(read_usage(source, Filters()), (provider, model), book=BOOK, ratios=ratios, at=NOON)


def test_same_tokens_at_known_prices_are_exact(source: Source) -> None:
    """4000 input at 0.15 and 400 output at 0.60 a million."""
    found = _what_if(source, "gpt-4o-mini", ratios=TokenRatios(input=ONE, output=ONE))

    assert (Decimal("0.014"), Decimal("0.00084"), Decimal("0.00084")) == (found.cost, found.low, found.high)


def test_range_has_its_reasons(source: Source) -> None:
    """Answers may be longer, tokenizers count otherwise, and what is left out is named with why."""
    inside, outside = _what_if(source, "gpt-4o-mini"), _what_if(source, "claude-haiku-4-5", "anthropic")

    assert inside.low < Decimal("0.00084") < inside.high
    assert (Decimal("0.8"), Decimal("1.3")) == (outside.low / Decimal("0.006"), outside.high / Decimal("0.006"))
    assert any("tokenizer" in reason for reason in outside.reasons)
    assert not any("tokenizer" in reason for reason in inside.reasons)
    assert {"text-embedding-3-small", "nobody-1"} == {row.source.model for row in inside.rows if row.low is None}
    assert any("nobody-1, which has 1 calls without a price" in reason for reason in inside.reasons)


def test_cached_tokens_may_be_cached_there_or_not() -> None:
    """At another provider the dear end is without the cache, at its input price."""
    usage = ModelUsage(
        provider="openai",
        model="gpt-4o",
        calls=1,
        cost=Decimal(1),
        usage={"cache_read": Decimal(100_000), "output": Decimal(1)},
    )
    found = what_if(
        [usage], ("anthropic", "claude-sonnet-4-5"), book=BOOK, at=NOON, ratios=TokenRatios(input=ONE, output=ONE)
    )

    assert (Decimal("0.030015"), Decimal("0.300015")) == (found.low, found.high)
    assert any("caching" in reason for reason in found.reasons)


def test_thresholds_are_those_of_an_average_call() -> None:
    """Ten calls of 30,000 tokens do not pay the price of one call of 300,000."""
    usage = ModelUsage(
        provider="openai",
        model="gpt-4o",
        calls=10,
        cost=Decimal(1),
        usage={"input": Decimal(300_000), "output": Decimal(10)},
    )
    found = what_if([usage], ("openai", "gpt-5.4"), book=BOOK, at=NOON, ratios=TokenRatios(input=ONE, output=ONE))

    assert Decimal("0.75015") == found.low


def test_unknown_model_is_refused(source: Source) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigurationError, match="no price for nope at openai"):
        _what_if(source, "nope")


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["input", "output", "cache_read"]), st.integers(0, 10**9).map(Decimal), min_size=1),
    st.integers(1, 10**6),
    st.sampled_from([("openai", "gpt-4.1"), ("anthropic", "claude-haiku-4-5"), ("gcp.gemini", "gemini-2.5-flash")]),
)
def test_low_is_never_above_high(usage: dict[str, Decimal], calls: int, target: tuple[str, str]) -> None:
    """Whatever was used."""
    made = ModelUsage(provider="openai", model="gpt-4o", calls=calls, cost=Decimal(1), usage=usage)
    found = what_if([made], target, book=BOOK, at=NOON)

    assert 0 <= found.low <= found.high
