"""Blocks and decorated functions: attribution applies inside, costs add up, spans end, for every kind of function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import genops
from genops import semconv as s
from genops.core.ledger import LedgerEntry
from genops.testing.capture import Captured, capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def spend(amount: str = "0.25", **more: Any) -> LedgerEntry:
    """One call whose cost is known."""
    entry = genops.track_cost(amount, provider="acme", model="m", **more)
    assert entry is not None
    return entry


def test_block_adds_up_and_attributes_the_calls_inside(captured: Captured) -> None:
    """Everything inside belongs to the block; what comes after does not."""
    with genops.track("answer", team="support", tags={"tier": "gold"}) as block:
        inside = spend()
        spend("0.50")
    after = spend()

    assert ("support", "gold", None) == (inside.team, inside.tags["tier"], after.team)
    assert Decimal("0.75") == block.cost.get_final_summary().total_cost


def test_calls_of_a_block_are_its_children(captured: Captured) -> None:
    """The call tree and the trace agree: the block's span is the parent."""
    with genops.track("outer"), genops.track("inner") as inner:
        entry = spend()

    outer_span = next(span for span in captured.spans if span.name == "outer")
    inner_span = next(span for span in captured.spans if span.name == "inner")
    assert inner.span.attributes[s.GENOPS_CALL_ID] == entry.parent_call_id
    assert entry.span_id == format(next(x for x in captured.spans if x.name.startswith("inf")).context.span_id, "016x")
    assert outer_span.context.span_id == inner_span.parent.span_id


def test_block_passes_an_error_on_and_marks_its_span(captured: Captured) -> None:
    """The exception is the application's; the span says which."""
    with pytest.raises(KeyError), genops.track("fails"):
        raise KeyError("x")

    assert (StatusCode.ERROR, "KeyError") == (
        captured.span.status.status_code,
        captured.span.attributes[s.ERROR_TYPE],
    )


async def test_async_block(captured: Captured) -> None:
    """`async with` is the same block."""
    async with genops.track("answer", team="support") as block:
        await asyncio.sleep(0)
        spend()

    assert Decimal("0.25") == block.cost.get_final_summary().total_cost


@pytest.mark.parametrize("name", ["", "  "])
def test_block_without_a_name_says_what_to_type(name: str) -> None:
    """A nameless span helps nobody."""
    with pytest.raises(genops.ConfigurationError, match="a block needs a name"):
        genops.track(name)


def test_unknown_attribute_is_refused_where_it_is_written() -> None:
    """The decorator refuses it at once, not at the first call."""
    with pytest.raises(genops.ConfigurationError, match="Did you mean 'team'"):
        genops.track_usage(teem="support")(spend)


def test_block_works_without_configuration() -> None:
    """Before `configure()` a block is harmless, and a cost is booked nowhere."""
    with genops.track("answer"):
        assert genops.track_cost("1", provider="acme") is None


# -- decorated functions -----------------------------------------------------------------------------------------------


def test_decorated_function_is_one_block_per_run(captured: Captured) -> None:
    """Each run opens a span named like the function."""

    @genops.track_usage(team="support")
    def answer(question: str) -> str:
        """Docs stay."""
        spend()
        return question.upper()

    assert ("YES", "Docs stay.") == (answer("yes"), answer.__doc__)
    assert "support" == captured.entry.team
    assert any(span.name.endswith("answer") for span in captured.spans)


async def test_decorated_coroutine(captured: Captured) -> None:
    """The block lasts until the coroutine is done."""

    @genops.track_usage("answer", team="support")
    async def answer() -> None:
        await asyncio.sleep(0)
        spend()

    await answer()
    assert "support" == captured.entry.team


def test_decorated_generator_attributes_its_own_steps_only(captured: Captured) -> None:
    """What the consumer does between two items is the consumer's."""

    @genops.track_usage("steps", team="inside")
    def steps() -> Iterator[str | None]:
        yield spend().team
        yield spend().team

    teams = []
    for team in steps():
        teams += [team, spend().team]

    assert ["inside", None, "inside", None] == teams
    assert 1 == sum(span.name == "steps" for span in captured.spans)


def test_generator_left_half_way_ends_its_span(captured: Captured) -> None:
    """Closing a generator is no error."""

    @genops.track_usage("steps")
    def steps() -> Iterator[int]:
        yield 1
        yield 2

    running = steps()
    next(running)
    running.close()

    assert StatusCode.UNSET is captured.span.status.status_code


async def test_decorated_async_generator(captured: Captured) -> None:
    """Async generators count like the others."""

    @genops.track_usage("steps", team="inside")
    async def steps() -> AsyncIterator[str | None]:
        yield spend().team
        await asyncio.sleep(0)
        yield spend().team

    assert ["inside", "inside"] == [team async for team in steps()]
    assert 1 == sum(span.name == "steps" for span in captured.spans)


# -- workflows and chains ----------------------------------------------------------------------------------------------


def test_workflow_tags_its_calls(captured: Captured) -> None:
    """Name and id of the workflow are on the span and on every entry."""
    workflow = genops.production_workflow_context("onboarding", "acme", tags={"tier": "gold"})
    with workflow as (span, workflow_id):
        entry = spend()

    assert ("acme", "onboarding", workflow_id, "gold") == (
        entry.customer_id,
        entry.tags["workflow_name"],
        entry.tags["workflow_id"],
        entry.tags["tier"],
    )
    assert workflow_id == span.attributes[s.GENOPS_WORKFLOW_ID]
    assert Decimal("0.25") == workflow.cost.get_final_summary().total_cost


async def test_async_workflow(captured: Captured) -> None:
    """The same with `async with`."""
    async with genops.production_workflow_context("onboarding") as (_, workflow_id):
        assert workflow_id == spend().tags["workflow_id"]


def test_chain_counts_calls_no_adapter_sees(captured: Captured) -> None:
    """Tokens are priced by the book; the summary is split by provider and model."""
    with genops.create_chain_cost_context("rag", team="search") as chain:
        chain.add_llm_call("openai", "gpt-4o-mini", 1_000_000, 0)
        chain.add_llm_call("anthropic", "claude-haiku-4-5", 0, 1_000_000)
        chain.add_llm_call("openai", "nobody-1", 10, 10)

    summary = chain.get_final_summary()
    assert ({"openai": Decimal("0.15"), "anthropic": Decimal(5)}, 1) == (
        summary.cost_by_provider,
        summary.unpriced_calls,
    )
    assert {"team": "search"} == summary.governance_attributes


async def test_costs_of_several_providers_are_added_up(captured: Captured) -> None:
    """Tasks started inside count, too."""
    async with genops.multi_provider_cost_tracking() as costs:
        await asyncio.gather(*(asyncio.to_thread(spend, "0.1") for _ in range(3)))

    summary = costs.get_current_summary()
    assert (Decimal("0.3"), 3, frozenset({"acme"})) == (summary.total_cost, summary.calls, summary.unique_providers)


# -- records -----------------------------------------------------------------------------------------------------------


def test_float_is_never_money(captured: Captured) -> None:
    """A float amount is refused with what to type instead."""
    with pytest.raises(genops.ConfigurationError, match="never money") as refused:
        genops.track_cost(0.1, provider="acme")

    assert 'track_cost("0.1", ...)' in str(refused.value)


def test_stated_cost_keeps_the_list_price_beside_it(captured: Captured) -> None:
    """What the application says is booked; what the list says is kept."""
    entry = genops.track_cost("0.10", provider="openai", model="gpt-4o-mini", input_tokens=1_000_000, team="x")

    assert entry is not None
    assert (Decimal("0.10"), Decimal("0.15"), "manual", "x") == (
        entry.cost,
        entry.list_cost,
        entry.cost_source,
        entry.team,
    )


@pytest.mark.parametrize(
    ("given", "passed"),
    [({"threshold": 0.9}, True), ({"threshold": 0.95}, False), ({"threshold": 0.95, "passed": True}, True), ({}, None)],
)
def test_evaluation_is_an_event_on_the_span(given: dict[str, Any], passed: bool | None, captured: Captured) -> None:
    """Whether it passed follows from the threshold, unless it is said."""
    with genops.track("evaluate") as block:
        genops.record_evaluation("accuracy", 0.93, **given)
        genops.record_evaluation("f1", 1, span=block.span)

    first, second = captured.span.events
    assert (0.93, passed) == (first.attributes[s.GENOPS_EVAL_SCORE], first.attributes.get(s.GENOPS_EVAL_PASSED))
    assert s.EVENT_EVALUATION_COMPLETE == second.name


def test_evaluation_without_a_metric_says_what_to_type() -> None:
    """A score of nothing is a mistake."""
    with pytest.raises(genops.ConfigurationError, match="name of its metric"):
        genops.record_evaluation(" ", 1.0)
