"""Policy: which calls the user's rules refuse, with which reason, and what the refusal says."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core import attribution as attributions
from genops.core.attribution import Attribution
from genops.core.decision import ALLOWED, Decision, Result, Violation
from genops.core.errors import BudgetBlocked, ConfigurationError, PolicyBlocked
from genops.core.policy import (
    Policy,
    PolicyInput,
    PolicyMode,
    PolicySet,
    Unknown,
    register_policy,
    unregister_policies,
)


@pytest.fixture(autouse=True)
def fresh():
    """No policy from code, no warning given yet."""
    unregister_policies()
    attributions.reset()
    yield
    unregister_policies()
    attributions.reset()


def call(model: str | None = "gpt-4o", *, provider: str = "openai", team: str = "search", **facts) -> PolicyInput:
    return PolicyInput(attribution=Attribution(team=team), provider=provider, model=model, **facts)


def decide(*policies: Policy, **facts) -> Decision:
    return PolicySet(policies).evaluate(call(**facts))


def test_no_policy_allows():
    """Without policies every call is allowed, with no reason code."""
    decision = PolicySet().evaluate(call())
    assert (
        decision.result,
        decision.reason_code,
        decision.policy_name,
        decision.blocked,
    ) == (Result.ALLOWED, None, None, False)


@pytest.mark.parametrize(
    ("model", "result"), [("gpt-4o-mini", "ALLOWED"), ("GPT-4o-Mini", "ALLOWED"), ("gpt-4o", "BLOCKED")]
)
def test_allow_list_of_models(model, result):
    """Only models that match the list pass, whatever their case."""
    assert result == decide(Policy(name="small", allow_models=("*-mini", "claude-*")), model=model).result


@pytest.mark.parametrize(("model", "result"), [("gpt-4o", "BLOCKED"), ("GPT-4O", "BLOCKED"), ("o3", "ALLOWED")])
def test_deny_list_of_models(model, result):
    """A model that matches the list is refused, whatever its case."""
    assert result == decide(Policy(name="no-4", deny_models=("gpt-4*",)), model=model).result


def test_deny_goes_before_allow():
    """A model on both lists is refused."""
    assert decide(Policy(name="both", allow_models=("gpt-*",), deny_models=("gpt-4o",))).blocked


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        ({}, True),
        ({"team": ("search",)}, True),
        ({"team": ("ads", "search")}, True),
        ({"team": ("sea*",)}, True),
        ({"team": ("ads",)}, False),
        ({"team": ("search",), "provider": ("openai",)}, True),
        ({"team": ("search",), "provider": ("anthropic",)}, False),
        ({"customer_id": ("*",)}, False),
        ({"model": ("gpt-*",), "operation": ("chat",)}, True),
    ],
)
def test_a_policy_applies_where_it_matches(match, applies):
    """All keys must match, any value of a key will do, and what is not given matches nothing."""
    assert applies == decide(Policy(name="p", match=match, deny_models=("*",)), operation="chat").blocked


def test_the_refusal_names_policy_found_allowed_and_fix():
    """Whoever is refused knows the rule, where it is written, and what to do."""
    policy = Policy(name="small", allow_models=("gpt-4o-mini",), message="ask #ai", source="genops.yaml:14")
    with pytest.raises(PolicyBlocked) as refused:
        decide(policy).raise_if_blocked()
    assert str(refused.value) == (
        "policy 'small' refuses model 'gpt-4o'; allowed: gpt-4o-mini. Did you mean 'gpt-4o-mini'?\n"
        "  ask #ai\n"
        "  fix: use one of gpt-4o-mini; or change policy 'small' (genops.yaml:14)"
    )
    assert (refused.value.reason_code, refused.value.rule) == ("POLICY_DENY_MODEL", "small")


def test_region_allow_list():
    """A call to a listed region passes, one to another is refused with the region's reason."""
    policy = Policy(name="eu", allow_regions=("eu", "eu-*"))
    assert decide(policy, region="eu-west-1") == ALLOWED
    refused = decide(policy, region="us")
    assert (refused.blocked, refused.reason_code) == (True, "POLICY_DENY_REGION")


@pytest.mark.parametrize(("choice", "result"), [("block", "BLOCKED"), ("warn", "WARNING"), ("allow", "ALLOWED")])
def test_unknown_region_does_as_the_policy_says(choice, result):
    """What cannot be checked is treated as chosen, not guessed."""
    policy = Policy(name="eu", allow_regions=("eu",), on_unknown_region=Unknown(choice))
    assert result == decide(policy).result


def test_unknown_region_is_refused_by_default_and_says_why():
    """The refusal says that the region is unknown and which setting decides."""
    decision = decide(Policy(name="eu", allow_regions=("eu",)))
    assert decision.blocked
    assert "region is unknown; allowed: eu (on_unknown_region is block)" in str(decision.reason)
    assert "`on_unknown_region: allow`" in str(decision.violations[0].fix)


def test_a_request_without_a_model_does_not_slip_past_an_allow_list():
    """A stored prompt names its model on the server; the rule cannot be checked, and refuses."""
    decision = decide(Policy(name="small", allow_models=("gpt-4o-mini",)), model=None)
    assert (decision.blocked, decision.reason_code) == (True, "POLICY_DENY_MODEL")


@given(cents=st.integers(0, 10_000), limit_cents=st.integers(0, 10_000))
def test_max_cost_is_compared_exactly(cents, limit_cents):
    """A call is refused exactly when its upper bound is above the limit; the limit itself is allowed."""
    policy = Policy(name="cap", max_cost_per_request=Decimal(limit_cents).scaleb(-4))
    assert (cents > limit_cents) == decide(policy, estimated_cost=Decimal(cents).scaleb(-4)).blocked


def test_max_cost_says_both_amounts():
    """The refusal names the upper bound, the limit and the extension reason code."""
    decision = decide(Policy(name="cap", max_cost_per_request=Decimal("0.50")), estimated_cost=Decimal("0.75"))
    assert decision.reason_code == "x_max_cost_per_request"
    assert "up to 0.75 USD for one request; at most 0.50 USD is allowed" in str(decision.reason)


def test_a_cost_without_known_bound_warns_by_default(caplog):
    """An unpriced call under a cost limit passes, marked, because its cost is not known to be too high."""
    with caplog.at_level(logging.WARNING):
        decision = decide(Policy(name="cap", max_cost_per_request=Decimal("0.50")))
    assert (decision.result, decision.reason_code) == (Result.WARNING, "x_max_cost_per_request")
    assert "on_unknown_cost is warn" in caplog.text


def test_warn_mode_lets_the_call_pass_marked(caplog):
    """In mode warn nothing is raised; the decision and one log line say what would have been refused."""
    policies = PolicySet([Policy(name="no-4", deny_models=("gpt-4*",), mode=PolicyMode.WARN)])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            decision = policies.evaluate(call())
            decision.raise_if_blocked()
    assert (
        decision.result,
        decision.reason_code,
        decision.policy_name,
    ) == (Result.WARNING, "POLICY_DENY_MODEL", "no-4")
    assert len(caplog.records) == 1


def test_all_rules_are_evaluated_and_the_most_severe_decides():
    """A warning found first does not hide a refusal found later; both are in the decision."""
    decision = decide(
        Policy(name="soft", deny_models=("gpt-4o",), mode=PolicyMode.WARN),
        Policy(name="eu", match={"team": ("search",)}, allow_regions=("eu",)),
        Policy(name="cap", max_cost_per_request=Decimal(0)),
        region="us",
        estimated_cost=Decimal(1),
    )
    assert [violation.rule for violation in decision.violations] == ["eu", "cap", "soft"]
    assert "also: policy 'cap'" in str(decision.refusal())


def test_policies_are_evaluated_in_their_order_whatever_they_match_on():
    """Among equals the policy written first gives the reason, indexed or not."""
    first = Policy(name="first", match={"team": ("search",)}, deny_models=("*",))
    second = Policy(name="second", deny_models=("*",))
    third = Policy(name="third", match={"provider": ("openai",)}, deny_models=("*",))
    assert [v.rule for v in decide(first, second, third).violations] == ["first", "second", "third"]
    assert [v.rule for v in decide(third, second, first).violations] == ["third", "second", "first"]


@given(
    matches=st.lists(
        st.dictionaries(
            st.sampled_from(["team", "provider", "model"]),
            st.lists(st.sampled_from(["search", "openai", "gpt-4o", "gpt-*", "x"]), min_size=1, max_size=2).map(tuple),
        ),
        max_size=6,
    )
)
def test_the_index_finds_what_a_plain_search_finds(matches):
    """Indexing policies by what they match changes no decision."""
    policies = [Policy(name=f"p{n}", match=match, deny_models=("*",)) for n, match in enumerate(matches)]
    expected = [policy.name for policy in policies if PolicySet([policy]).evaluate(call()).violations]
    assert expected == [violation.rule for violation in PolicySet(policies).evaluate(call()).violations]


def test_prior_findings_stay():
    """A warning of the attribution rules is still there after policies allowed the call, and beside their findings."""
    prior = Decision((Violation(rule="attribution.team", reason_code="x_a", message="m", result=Result.WARNING),))
    assert prior == PolicySet([Policy(name="p", deny_models=("o3",))]).evaluate(call(), prior)
    decision = PolicySet([Policy(name="p", deny_models=("*",))]).evaluate(call(), prior)
    assert [violation.rule for violation in decision.violations] == ["p", "attribution.team"]


def test_a_refusal_from_elsewhere_becomes_a_decision_and_back():
    """What a budget raised is recorded with its own code, and can be raised again as the same kind."""
    refusal = BudgetBlocked("too much", reason_code="BUDGET_EXCEEDED", rule="org", fix="wait")
    decision = Decision.from_refusal(refusal)
    assert (
        decision.result,
        decision.reason_code,
        decision.policy_name,
        decision.reason,
    ) == (Result.BLOCKED, "BUDGET_EXCEEDED", "org", "too much")
    with pytest.raises(BudgetBlocked, match="too much\n  fix: wait"):
        decision.raise_if_blocked()


def test_a_rate_limit_from_elsewhere_is_rate_limited():
    """The specification has a result of its own for it."""
    decision = Decision.from_refusal(BudgetBlocked("slow down", reason_code="RATE_LIMITED", rule="rpm"))
    assert (decision.result, decision.blocked) == (Result.RATE_LIMITED, True)


def test_an_allowed_decision_has_no_refusal():
    """Asking an allowed decision for its exception is a mistake of ours, found at once."""
    with pytest.raises(ValueError, match="ALLOWED refuses nothing"):
        ALLOWED.refusal()


# -- policies from code ------------------------------------------------------------------------------------------------


def test_register_policy_applies_to_every_set():
    """A policy from code is evaluated beside those of the file, until it is taken away."""
    register_policy("no-4", deny_models="gpt-4*", match={"team": "search"}, mode="enforce")
    assert PolicySet().evaluate(call()).policy_name == "no-4"
    assert PolicySet().evaluate(call(team="ads")) == ALLOWED
    unregister_policies("no-4")
    assert PolicySet().evaluate(call()) == ALLOWED


def test_registering_a_name_again_replaces_it():
    """The last policy of a name is the one that applies."""
    register_policy("p", deny_models=["*"])
    register_policy("p", deny_models=["o3"])
    assert PolicySet().evaluate(call()) == ALLOWED


def test_taking_one_policy_away_leaves_the_others():
    """unregister_policies takes those named, and no other."""
    register_policy("a", deny_models=["gpt-*"])
    register_policy("b", deny_models=["gpt-*"])
    unregister_policies("a")
    assert [violation.rule for violation in PolicySet().evaluate(call()).violations] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        ({"deny_model": ["x"]}, "unknown rule 'deny_model'. Did you mean 'deny_models'?", "use allow_models"),
        ({"deny_models": []}, "deny_models is [], expected names.", 'deny_models=["..."]'),
        ({"deny_models": ["x"], "mode": "enfroce"}, "mode is 'enfroce'. Did you mean 'enforce'?", "use enforce, warn"),
        (
            {"max_cost_per_request": 0.5},
            "max_cost_per_request is 0.5, expected an exact",
            'max_cost_per_request="0.50"',
        ),
        ({"max_cost_per_request": "much"}, "max_cost_per_request is 'much'", 'max_cost_per_request="0.50"'),
        ({"max_cost_per_request": -1}, "max_cost_per_request of policy 'p' is -1", "0 or more"),
        ({}, "policy 'p' has no rule.", "allow_models, deny_models"),
        ({"deny_models": ["x"], "match": {"tem": "x"}}, "matches on 'tem'. Did you mean 'team'?", "use team"),
    ],
)
def test_register_policy_refuses_mistakes(arguments, message, fix):
    """What is wrong with a policy is said when it is written."""
    with pytest.raises(ConfigurationError) as refused:
        register_policy("p", **arguments)
    assert message in str(refused.value)
    assert fix in str(refused.value.fix)


def test_a_policy_needs_a_name_of_its_own():
    """Two policies of one name, or none, cannot be told apart in telemetry."""
    with pytest.raises(ConfigurationError, match="needs a name"):
        Policy(name=" ", deny_models=("x",))
    with pytest.raises(ConfigurationError, match=r"b:2: policy 'p' is there already \(a:1\)"):
        PolicySet(Policy(name="p", deny_models=("x",), source=place) for place in ("a:1", "b:2"))


def test_a_message_is_part_of_the_reason():
    """register_policy takes the message that a refused user reads."""
    register_policy("p", deny_models=["*"], message="ask #ai")
    assert "ask #ai" in str(PolicySet().evaluate(call()).reason)


def test_sets_of_the_same_policies_are_equal():
    """Settings can be compared, and show the names of their policies."""
    policy = Policy(name="p", deny_models=("x",))
    assert PolicySet([policy]) == PolicySet([policy])
    assert PolicySet([policy]) != PolicySet()
    assert repr(PolicySet([policy])) == "PolicySet(['p'])"
