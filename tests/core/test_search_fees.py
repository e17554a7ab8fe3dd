"""Fees of searches are part of what a call is reserved for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from genops.core.pricing import PriceBook, PriceQuery
from genops.core.searches import NONE, Searches, searches_of

GOOGLE: Any = SimpleNamespace(google_search=SimpleNamespace())


@pytest.mark.parametrize(
    ("provider", "request_", "expected"),
    [
        ("openai", {"model": "gpt-5.4"}, NONE),
        ("openai", {"model": "gpt-5.4", "tools": [{"type": "function"}]}, NONE),
        ("openai", {"model": "gpt-5.4", "tools": [{"type": "web_search"}]}, Searches("web_searches", 10)),
        ("openai", {"model": "x", "tools": [{"type": "web_search"}], "max_tool_calls": 3}, Searches("web_searches", 3)),
        ("openai", {"model": "x", "tools": [{"type": "web_search_preview"}]}, Searches("web_searches_preview", 10)),
        ("openai", {"model": "gpt-4o-search-preview"}, Searches("web_searches_preview", 1)),
        ("openai", {"model": "gpt-5-search-api"}, Searches("web_searches", 1)),
        ("openrouter", {"model": "openai/gpt-4o-search-preview"}, NONE),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "max_uses": 5}]}, Searches("web_searches", 5)),
        ("gcp.gemini", {"model": "gemini-3-pro", "config": {"tools": [GOOGLE]}}, Searches("web_searches", 10)),
        ("gcp.gemini", {"model": "gemini-2.5-pro", "config": {"tools": [GOOGLE]}}, Searches("web_searches", 1)),
        ("gcp.gemini", {"model": "x", "config": {"tools": [{"googleSearch": {}}]}}, Searches("web_searches", 10)),
        ("gcp.gemini", {"model": "x", "tools": [{"type": "google_search"}]}, Searches("web_searches", 10)),
        ("openai", {"model": "x", "tools": "nonsense", "config": 7}, NONE),
    ],
)
def test_searches_that_a_request_may_make(provider: str, request_: dict[str, Any], expected: Searches) -> None:
    """As many as it allows, ten where it sets no limit."""
    assert expected == searches_of(provider, request_)


def test_bound_holds_the_fees() -> None:
    """25 USD for 1,000 searches by the older tool with gpt-4o."""
    book, query = PriceBook.default(), PriceQuery(provider="openai", at=datetime.now(UTC), request_model="gpt-4o")
    plain, searching = (
        book.bound(query, 1000, 100),
        book.bound(query, 1000, 100, None, Searches("web_searches_preview", 2)),
    )

    assert plain is not None
    assert searching == plain + Decimal("0.05")


def test_bound_without_a_price_for_searches_is_that_of_the_tokens() -> None:
    """A fee that nobody knows is not made up."""
    book = PriceBook.default()
    query = PriceQuery(provider="mistral_ai", at=datetime.now(UTC), request_model="mistral-small-latest")
    plain = book.bound(query, 1000, 100)

    assert plain is not None
    assert plain == book.bound(query, 1000, 100, None, Searches("web_searches", 10))
