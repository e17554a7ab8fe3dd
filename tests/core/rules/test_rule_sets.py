"""Rules: what is true of a call decides, all of it is listed, and what cannot be decided says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.config.policies import parse_policy
from genops.core.decision import Decision, Result
from genops.core.errors import ApprovalRequired, ConfigurationError, RateLimited
from genops.core.rules.model import Exemption, Rule
from genops.core.rules.ruleset import RuleSet

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATIC: dict[str, Any] = {
    "team": "search",
    "project": "shop",
    "environment": "production",
    "tags": {"tier": "gold"},
    "provider": "openai",
    "operation": "chat",
    "operation_type": "inference",
    "model": "gpt-4o",
    "streamed": False,
}
DYNAMIC: dict[str, Any] = {"input_tokens": 10, "max_output_tokens": 100, "tools": [], "entities": [], "now": NOON}


def rules(*written: str, **more: Any) -> RuleSet:
    """A rule set of rules in YAML flow style."""
    text = "rules:\n" + "".join(f"  - {{{each}}}\n" for each in written)
    return RuleSet(parse_policy(text).rules, **more)


def decide(found: RuleSet, now: datetime = NOON, **facts: Any) -> Decision:
    known = {**STATIC, **DYNAMIC, **facts}
    static = {name: value for name, value in known.items() if name not in DYNAMIC and name != "estimated_cost"}
    return found.scope(static).decide(known.get, now)


def names(decision: Decision) -> list[str]:
    return [violation.rule for violation in decision.violations]


def test_every_true_rule_is_listed_and_the_most_severe_decides():
    """A warning, a rate limit and a block of one call."""
    decision = decide(
        rules(
            "name: w, condition: 'team == \"search\"', decision: WARNING",
            "name: r, condition: 'max_output_tokens > 50', decision: RATE_LIMITED, retry_after: 30s",
            "name: b, condition: 'model.startsWith(\"gpt-4\")', reason_code: POLICY_DENY_MODEL",
            "name: quiet, condition: 'model == \"o3\"'",
        )
    )

    assert (Result.BLOCKED, "POLICY_DENY_MODEL", ["b", "r", "w"]) == (
        decision.result,
        decision.reason_code,
        names(decision),
    )


def test_rate_limit_says_when_to_come_back():
    """RATE_LIMITED is raised as such, with the seconds."""
    decision = decide(rules("name: r, condition: 'true', decision: RATE_LIMITED, retry_after: 30s"))

    with pytest.raises(RateLimited) as caught:
        decision.raise_if_blocked()
    assert (30, "RATE_LIMITED", decision) == (
        caught.value.retry_after_s,
        caught.value.reason_code,
        caught.value.decision,
    )


@pytest.mark.parametrize(
    ("mode", "result", "shadow"),
    [("enforce", Result.BLOCKED, ()), ("warn", Result.WARNING, ()), ("shadow", Result.ALLOWED, ("b: BLOCKED",))],
)
def test_mode_says_what_becomes_of_a_true_condition(mode, result, shadow):
    """Shadow is seen in the notes alone."""
    decision = decide(rules(f"name: b, condition: 'true', mode: {mode}"))

    assert (result, shadow) == (decision.result, decision.notes.shadow)


@pytest.mark.parametrize(
    ("setting", "result"),
    [("", Result.BLOCKED), (", on_unknown: warn", Result.WARNING), (", on_unknown: allow", Result.ALLOWED)],
)
def test_fact_that_nobody_stated_is_neither_true_nor_false(setting, result):
    """The decision names it, and the telemetry has it even where the call is let through."""
    decision = decide(rules(f"name: eu, condition: 'region != \"eu\"'{setting}"))

    assert (result, ("eu: region is not known",)) == (decision.result, decision.notes.errors)
    assert decision.result is Result.ALLOWED or "region is not known" in str(decision.reason)


def test_asking_whether_a_fact_is_known_is_always_possible():
    """has_region guards, in either order."""
    guarded = rules("name: eu, condition: 'region != \"eu\" && has_region'")

    assert Result.ALLOWED is decide(guarded).result
    assert Result.BLOCKED is decide(guarded, region="us").result


@pytest.mark.parametrize(
    ("setting", "result"),
    [("", Result.BLOCKED), (", on_error: warn", Result.WARNING), (", on_error: allow", Result.ALLOWED)],
)
def test_condition_that_fails_is_an_outcome_of_its_own(setting, result):
    """A key that a map lacks. The other rules are evaluated all the same."""
    decision = decide(
        rules(
            f'name: broken, condition: \'tags["region"] == "eu" && input_tokens > 1\'{setting}',
            "name: fine, condition: 'input_tokens > 5', decision: WARNING",
        )
    )

    assert decision.result is (Result.WARNING if result is Result.ALLOWED else result)
    assert "fine" in names(decision)
    (error,) = decision.notes.errors
    assert error.startswith("broken: ")
    assert "region" in error


def test_scope_decides_which_calls_a_rule_is_about():
    """Globs, without case; a key that is not known does not match."""
    scoped = rules("name: eu, match: {customer_id: 'EU-*', provider: openai}, condition: 'true'")

    assert (Result.BLOCKED, Result.ALLOWED, Result.ALLOWED) == (
        decide(scoped, customer_id="eu-7").result,
        decide(scoped, customer_id="us-7").result,
        decide(scoped).result,
    )


def test_messages_are_filled_in():
    """From the facts of the call."""
    decision = decide(
        rules("name: m, condition: 'true', message: '{model} with {tools} is not for {feature}'"), tools=["a", "b"]
    )

    assert "rule 'm': gpt-4o with a, b is not for an unknown feature" == decision.reason


def test_message_about_one_call_is_not_that_of_the_next():
    """Also where the condition is about the kind of call alone, and so is decided once."""
    scope = rules("name: m, condition: 'true', message: 'up to {max_output_tokens}'").scope(STATIC)
    said = [scope.decide({**DYNAMIC, "max_output_tokens": limit}.get, NOON).reason for limit in (1, 2)]

    assert ["rule 'm': up to 1", "rule 'm': up to 2"] == said


EXCEPTION = Exemption(
    id="exc-1", rule="b", owner="ada", reason="launch", expires=NOON + timedelta(hours=1), match={"team": ("search",)}
)


def test_exception_lets_a_call_through_for_its_time_and_scope():
    """And is in the notes; an hour later, or for another team, the rule is in force."""
    found = rules("name: b, condition: 'input_tokens > 1'", exemptions=[EXCEPTION])

    let_through = decide(found)
    assert (Result.ALLOWED, ("b: exc-1",)) == (let_through.result, let_through.notes.exceptions)
    assert Result.BLOCKED is decide(found, now=NOON + timedelta(hours=1)).result
    assert Result.BLOCKED is decide(found, team="ads").result


def test_scope_is_made_again_when_a_permission_runs_out():
    """What is decided once for many calls is not kept beyond it."""
    scope = rules("name: b, condition: 'true'", exemptions=[EXCEPTION]).scope(STATIC)

    assert Result.ALLOWED is scope.decide(DYNAMIC.get, NOON).result
    assert not scope.is_current(scope.rules, NOON + timedelta(hours=1))


def test_permission_that_has_run_out_costs_nothing_more():
    """The scope is not made again for every call after it."""
    later = NOON + timedelta(hours=2)
    found = rules("name: b, condition: 'true'", exemptions=[EXCEPTION])

    assert found.scope(STATIC, later).is_current(found, later)


def test_exception_from_a_rule_that_is_not_there_is_refused():
    """A misspelt rule would be a permission that nobody can see fail."""
    with pytest.raises(ConfigurationError, match="rule 'b', which is not there"):
        rules("name: a, condition: 'true'", exemptions=[EXCEPTION])


def test_rule_may_wait_for_an_approval():
    """Its refusal says how to give one."""
    decision = decide(rules("name: big, condition: 'true', approval: true"))

    with pytest.raises(ApprovalRequired, match="genops policy approve big --match team=search") as caught:
        decision.raise_if_blocked()
    assert "x_approval_required" == caught.value.reason_code


def test_actions_of_several_rules_are_joined():
    """The first model, the lowest limit, everything to redact; the call itself is allowed."""
    decision = decide(
        rules(
            "name: a, condition: 'true', actions: {reroute: gpt-4o-mini, max_output_tokens: 500}",
            "name: b, condition: 'true', actions: {reroute: o3, max_output_tokens: 200, redact: [EMAIL]}",
            "name: c, condition: 'true', actions: {redact: [EMAIL, IBAN]}",
        )
    )

    assert Result.ALLOWED is decision.result
    assert decision.notes.actions is not None
    assert ("reroute=gpt-4o-mini", "max_output_tokens=200", "redact=EMAIL,IBAN") == decision.notes.actions.described()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("name: a, condition: 'true', reason_code: DENY", "reason_code is 'DENY'"),
        ("name: a, condition: 'true', decision: ALLOWED", "does nothing is no rule"),
        ("name: a, condition: 'true', decision: BLOCKED, actions: {reroute: b}", "nothing can be done to it"),
        ("name: a, condition: 'true', decision: WARNING, approval: true", "approval is for rules that decide BLOCKED"),
        ("name: a, condition: 'true', retry_after: 3s", "retry_after is for rules that decide RATE_LIMITED"),
        ("name: a, condition: 'true', message: '{modl}'", "Did you mean 'model'"),
        ("name: a, condition: 'true', message: '{model'", "expected '}'"),
        ("name: a, condition: 'modell == \"x\"'", "'modell' is no input of a rule. Did you mean 'model'"),
        ("name: a, condition: 'estimated_cost > 1'", "found no matching overload"),
        ("name: a, condition: 'model'", "comes to string, expected true or false"),
        ("name: a, condition: ['a', 'b']", "does not say whether all or any"),
        ("name: a", "neither a condition nor a match"),
    ],
)
def test_mistake_is_refused_when_the_file_is_read(written, message):
    """With file and line."""
    with pytest.raises(ConfigurationError) as caught:
        rules(written)
    assert message in str(caught.value)
    assert "policy.yaml:2" in str(caught.value)
    assert caught.value.fix


def test_two_rules_of_one_name_are_refused():
    """A decision could not say which of them it rests on."""
    with pytest.raises(ConfigurationError, match="rule 'a' is there already"):
        rules("name: a, condition: 'true'", "name: a, condition: 'false'")


def test_version_changes_with_what_is_said_and_only_then():
    """Not with the place where it is written."""
    first, moved = Rule(name="a", condition="true", source="x:1"), Rule(name="a", condition="true", source="y:9")
    other = Rule(name="a", condition="false", source="x:1")

    assert RuleSet([first]).version == RuleSet([moved]).version != RuleSet([other]).version
    assert RuleSet([first]).version != RuleSet([first], flags={"a": True}).version


FACTS = {
    "team": st.sampled_from(["search", "ads"]),
    "model": st.sampled_from([None, "gpt-4o", "o3"]),
    "region": st.sampled_from([None, "eu", "us"]),
    "max_output_tokens": st.integers(0, 3),
    "estimated_cost": st.sampled_from([None, 0.0, 1.5]),
    "tools": st.lists(st.sampled_from(["search", "shell"]), max_size=2),
}
CONDITIONS = [
    "team == 'ads'",
    "model == 'o3' && max_output_tokens > 1",
    "region == 'eu' || max_output_tokens == 3",
    "has_region && region != 'eu' && max_output_tokens < 3",
    "estimated_cost > 1.0",
    "'shell' in tools",
    "tools[0] == 'shell'",
    "flags['on']",
]


@given(
    chosen=st.lists(st.sampled_from(range(len(CONDITIONS))), unique=True),
    facts=st.fixed_dictionaries(FACTS),
)
def test_rules_together_find_what_each_finds_alone(chosen, facts):
    """Deciding once for many calls, and many conditions at once, changes no finding."""
    made = [Rule(name=f"r{number}", condition=CONDITIONS[number]) for number in chosen]
    everything = {**STATIC, **DYNAMIC, **facts}
    together = RuleSet(made, flags={"on": True}).scope(everything).findings(everything.get)
    alone = [f for rule in made for f in RuleSet([rule], flags={"on": True}).scope(everything).findings(everything.get)]

    assert alone == list(together)
