"""Rules written in place: they hold inside the block or function, nest, and refuse before anything is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import genops
from genops import semconv as s
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.policy import unregister_policies
from genops.testing.capture import Captured, capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found
    unregister_policies()


def call(model: str = "gpt-4o") -> LedgerEntry | None:
    return genops.track_cost("0.01", provider="openai", model=model)


def test_block_refuses_what_it_does_not_allow(captured: Captured) -> None:
    """The refusal names policy, rule and fix; the entry says blocked and costs nothing."""
    with genops.enforce_policy("cheap", allow_models=["gpt-4o-mini"]):
        call("gpt-4o-mini")
        with pytest.raises(genops.PolicyBlocked) as refused:
            call()
    call()

    assert ("cheap", "POLICY_DENY_MODEL") == (refused.value.rule, refused.value.reason_code)
    assert "fix:" in str(refused.value)
    assert ["completed", "blocked", "completed"] == [entry.outcome for entry in captured.entries]
    assert (Outcome.BLOCKED, None, "BLOCKED") == (
        captured.entries[1].outcome,
        captured.entries[1].cost,
        captured.entries[1].policy_result,
    )


def test_decorated_function_and_coroutine(captured: Captured) -> None:
    """A decorator puts the rules in force for each run, concurrent ones too."""

    @genops.enforce_policy(deny_models=["gpt-4o"])
    async def answer() -> None:
        await asyncio.sleep(0)
        call()

    @genops.enforce_policy(deny_models=["gpt-4o"])
    def plain() -> None:
        call()

    async def both() -> list[object]:
        return await asyncio.gather(answer(), answer(), return_exceptions=True)

    assert [genops.PolicyBlocked] * 2 == [type(result) for result in asyncio.run(both())]
    with pytest.raises(genops.PolicyBlocked):
        plain()
    call()


async def test_async_block(captured: Captured) -> None:
    """`async with` is the same block."""
    async with genops.enforce_policy(deny_models=["gpt-4o"]):
        with pytest.raises(genops.PolicyBlocked):
            call()


def test_registered_policy_holds_from_the_next_call_on(captured: Captured) -> None:
    """Calls of a kind that was allowed before are decided again when a policy comes or goes."""
    call()
    genops.register_policy("no-4o", deny_models=["gpt-4o"])
    with pytest.raises(genops.PolicyBlocked):
        call()
    genops.register_policy("no-4o", deny_models=["gpt-4o"], mode="warn")
    warned = call()
    unregister_policies("no-4o")
    allowed = call()

    assert warned is not None
    assert allowed is not None
    assert ("WARNING", "no-4o", "ALLOWED") == (warned.policy_result, warned.policy_name, allowed.policy_result)


def test_warning_is_on_the_span_with_its_reason(captured: Captured) -> None:
    """Reason code, policy and reason come with every result but ALLOWED."""
    genops.register_policy("soft", deny_models=["gpt-4o"], mode="warn")
    call()
    attributes = dict(captured.span.attributes or {})

    assert ("WARNING", "POLICY_DENY_MODEL", "soft") == (
        attributes[s.GENOPS_POLICY_RESULT],
        attributes[s.GENOPS_POLICY_REASON_CODE],
        attributes[s.GENOPS_POLICY_NAME],
    )
    assert "soft" in str(attributes[s.GENOPS_POLICY_REASON])
