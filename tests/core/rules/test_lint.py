"""Lint: what is odd about a rule is found, and nothing is claimed that is not so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.config.policies import parse_policy
from genops.core.rules.lint import lint
from genops.core.rules.model import Exemption, Rule
from genops.core.rules.ruleset import RuleSet


def kinds(*written: str) -> list[tuple[str, str]]:
    text = "rules:\n" + "".join(f"  - {{{each}}}\n" for each in written)
    return [(remark.rule, remark.kind) for remark in lint(parse_policy(text).rules)]


@pytest.mark.parametrize(
    "condition",
    [
        'team == "a" && team == "b"',
        "max_output_tokens > 10 && max_output_tokens < 5",
        "now.getHours() > 24",
        'tags["tier"] == "gold" && tags["tier"] == "free"',
        '"shell" in tools && !tools.exists(tool, tool == "shell")',
        "has_region && !has_region",
        "false",
    ],
)
def test_condition_that_no_call_can_meet(condition):
    """By trying every case."""
    assert [("r", "never-true")] == kinds(f"name: r, condition: '{condition}', on_unknown: allow")


def test_match_that_the_condition_contradicts():
    """Within the scope there is no such call."""
    assert [("r", "never-true")] == kinds("name: r, match: {team: search}, condition: 'team == \"ads\"'")


def test_condition_that_every_call_meets():
    """The rule is about everything in its match."""
    assert [("r", "always-true")] == kinds("name: r, condition: 'max_output_tokens < 5 || max_output_tokens > 4'")


def test_scope_that_names_an_operation_nobody_has():
    """With what was meant."""
    (remark,) = lint(parse_policy("rules: [{name: r, match: {operation: chats}, condition: streamed}]").rules)

    assert ("unreachable", "no operation is called 'chats'. Did you mean 'chat'?") == (remark.kind, remark.message)


def test_rule_that_another_always_decides_for():
    """The more severe one, or the earlier of two that are alike; not one that only watches."""
    wide, narrow = "condition: 'team == \"ads\"'", "condition: 'team == \"ads\" && streamed'"

    assert [("b", "shadowed")] == kinds(f"name: a, {wide}", f"name: b, {narrow}, decision: WARNING")
    assert [("b", "shadowed")] == kinds(f"name: a, {wide}", f"name: b, {narrow}")
    assert [] == kinds(f"name: a, {wide}, mode: shadow", f"name: b, {narrow}")
    assert [] == kinds(f"name: a, {narrow}", f"name: b, {wide}")


def test_fact_that_may_be_unknown():
    """Unless the rule asks, says what follows, or is about calls that have it."""
    assert [("r", "unknown-input")] == kinds("name: r, condition: 'region == \"eu\"'")
    assert [] == kinds("name: r, condition: 'has_region && region == \"eu\"'")
    assert [] == kinds("name: r, condition: 'region == \"eu\"', on_unknown: block")


def test_exception_that_has_run_out():
    """It does nothing any more."""
    rule = Rule(name="r", condition="streamed")
    old = Exemption(id="e", rule="r", owner="ada", reason="x", expires=datetime(2026, 1, 1, tzinfo=UTC))

    assert ["expired-exception"] == [remark.kind for remark in lint([rule], [old])]


@pytest.mark.parametrize(
    "condition",
    [
        'model.matches("^gpt-[0-9]+$")',
        "input_tokens + max_output_tokens > 100000",
        "tools.size() > 40",
        'team + project == "ab"',
    ],
)
def test_nothing_is_claimed_where_cases_cannot_be_tried(condition):
    """A regular expression, a sum, a size."""
    assert [] == kinds(f"name: r, condition: '{condition}'")


ATOMS = st.sampled_from(
    [
        'team == "a"',
        'team != "b"',
        'team.startsWith("a")',
        "max_output_tokens > 3",
        "max_output_tokens <= 3",
        "streamed",
        "!streamed",
        '"x" in tools',
    ]
)
CONDITIONS = st.recursive(
    ATOMS, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner), max_leaves=5
)


@given(
    condition=CONDITIONS,
    team=st.sampled_from(["a", "b", "ab", "c"]),
    limit=st.integers(0, 6),
    streamed=st.booleans(),
    tools=st.lists(st.sampled_from(["x", "y"]), max_size=2),
)
def test_no_call_contradicts_what_lint_claims(condition, team, limit, streamed, tools):
    """Never true is never true, always true is always true."""
    rule = Rule(name="r", condition=condition)
    claims = {remark.kind for remark in lint([rule])}
    call = {"team": team, "max_output_tokens": limit, "streamed": streamed, "tools": tools}
    true = bool(RuleSet([rule]).scope(call).findings(call.get))

    assert not ("never-true" in claims and true)
    assert not ("always-true" in claims and not true)
