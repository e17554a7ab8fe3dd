"""Spans of other instrumentations: mirrors inside a governed call, entries of their own where nothing is governed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

import genops
from genops import semconv as s
from genops.core.budgets.model import Budget
from genops.core.cost import CostSource
from genops.providers._engine.dialects import said
from genops.providers._engine.foreign import ForeignSpans
from genops.testing.capture import Captured, capture

OTEL, OPENINFERENCE, OPENLIT = "opentelemetry.instrumentation.genai.x", "openinference.instrumentation.x", "openlit.x"


@pytest.fixture
def provider() -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(ForeignSpans())
    return made


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found, genops.attribution(team="search"):
        yield found


def _span(provider: TracerProvider, scope: str, attributes: dict[str, Any], name: str = "chat") -> Any:
    return provider.get_tracer(scope).start_as_current_span(name, attributes=attributes)


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 110,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.cache_creation.input_tokens": 10,
}


def test_leaf_span_is_an_entry(provider: TracerProvider, captured: Captured) -> None:
    """A request nobody governs is booked from its span, which carries the cost and whom it is for."""
    with _span(provider, OTEL, CHAT) as span:
        pass

    entry = captured.entry
    assert {"input": 60, "cache_read": 40, "cache_write": 10, "output": 20} == dict(entry.usage)
    assert (CostSource.SPAN, "search") == (entry.cost_source, entry.team)
    attributes = dict(span.attributes)
    assert float(entry.cost or 0) == attributes[s.GENOPS_COST_TOTAL]
    assert "search" in attributes.values()


@pytest.mark.parametrize("kind", ["invoke_agent", "invoke_workflow", "execute_tool", "fetch_response"])
def test_what_repeats_its_children_is_never_priced(provider: TracerProvider, captured: Captured, kind: str) -> None:
    """Agents, workflows, tools and fetched responses are no requests."""
    with _span(provider, OTEL, CHAT | {"gen_ai.operation.name": kind}):
        pass

    assert [] == captured.entries


def test_only_the_innermost_of_nested_spans_is_priced(provider: TracerProvider, captured: Captured) -> None:
    """Two instrumentations on one request are one entry."""
    with _span(provider, OPENINFERENCE, CHAT), _span(provider, OTEL, CHAT):
        pass

    assert 1 == len(captured.entries)


def test_same_response_is_priced_once(provider: TracerProvider, captured: Captured) -> None:
    """Two spans side by side with one response id are one entry."""
    for scope in (OTEL, OPENINFERENCE):
        with _span(provider, scope, CHAT | {"gen_ai.response.id": "msg_same"}):
            pass

    assert 1 == len(captured.entries)


def test_three_calls_under_one_operation_sum(provider: TracerProvider, captured: Captured) -> None:
    """An operation above is not priced, the calls below each are."""
    with _span(provider, "openinference.instrumentation.langchain", CHAT | {"gen_ai.operation.name": "chat"}):
        for number in range(3):
            with _span(provider, OTEL, CHAT | {"gen_ai.response.id": f"msg_{number}"}):
                pass

    assert 3 == len(captured.entries)


def test_unknown_model_is_unpriced_and_not_free(provider: TracerProvider, captured: Captured) -> None:
    """No price gives no amount, on the span, too."""
    with _span(provider, OTEL, CHAT | {"gen_ai.request.model": "nobody-1"}) as span:
        pass

    assert ("unpriced", None) == (captured.entry.cost_status, captured.entry.cost)
    assert s.GENOPS_COST_TOTAL not in dict(span.attributes)


def test_foreign_spans_are_charged_to_budgets(provider: TracerProvider) -> None:
    """What was spent through them is spent."""
    budget = Budget(name="one", limit=Decimal(1), unit="requests")
    with capture(budgets=[budget]) as captured:
        for number in range(2):
            with _span(provider, OTEL, CHAT | {"gen_ai.response.id": f"id_{number}"}):
                pass

    assert 2 == len(captured.entries)


VECTORS = json.loads((Path(__file__).parents[2] / "spec/vectors/dialects/spans.json").read_text())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_dialects_say_the_same(case: dict[str, Any]) -> None:
    """What each instrumentation writes about a call; the Collector reads the same cases."""
    told = said(case["scope"], case["attributes"])

    if case["expect"] is None:
        assert told is None
        return
    assert told is not None
    assert told.reading.usage is not None
    facts = {
        "type": told.facts.operation_type,
        "provider": told.facts.provider,
        "request_model": told.facts.request_model,
        "response_model": told.reading.response_model,
        "response_id": told.reading.response_id,
        "service_tier": told.reading.service_tier,
        "server_address": told.facts.server_address,
        "region": told.facts.region,
        "usage": dict(told.reading.usage.quantities),
    }
    assert case["expect"] == {name: value for name, value in facts.items() if value is not None}


@pytest.mark.parametrize("hostile", [-5, float("nan"), "many", True, 10**30])
def test_hostile_counts_break_nothing(provider: TracerProvider, captured: Captured, hostile: Any) -> None:
    """What is no count is not taken for one, and the span ends."""
    with _span(provider, OTEL, CHAT | {"gen_ai.usage.input_tokens": hostile}) as span:
        pass

    assert not span.is_recording()


def test_memory_of_open_spans_is_bounded(provider: TracerProvider, captured: Captured) -> None:
    """Spans that never end are forgotten."""
    processor = ForeignSpans()
    tracer = TracerProvider(shutdown_on_exit=False)
    tracer.add_span_processor(processor)
    left = [tracer.get_tracer(OTEL).start_span("chat") for _ in range(10_050)]

    assert 10_000 == len(processor._open)
    assert left
