"""Attribution rules: what they decide, and what they say."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from genops.core import attribution as subject
from genops.core.attribution import Attribution, AttributionRules, FieldRule, RuleMode, check
from genops.core.errors import AttributionBlocked, ConfigurationError

VECTORS = Path(__file__).parents[2] / "spec" / "vectors" / "attribution" / "rules.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]


@pytest.fixture(autouse=True)
def fresh():
    """Warnings are given anew in each test."""
    subject.reset()
    yield
    subject.reset()


def rules_of(given: dict) -> AttributionRules:
    return AttributionRules(
        {
            name: FieldRule(
                **{**rule, "mode": RuleMode(rule.get("mode", "warn")), "allowed": tuple(rule.get("allowed", ()))}
            )
            for name, rule in given.items()
        }
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vector(case):
    """Every recorded set of rules decides as recorded."""
    rules, attributed = rules_of(case["rules"]), Attribution(**case["attribution"])
    assert case["result"] == rules.decide(attributed).result
    assert [f"attribution.{name}" for name in case["broken"]] == [broken.rule for broken in check(attributed, rules)]


def test_the_message_names_the_attribute_the_value_what_is_allowed_and_the_fix():
    """Whoever is refused can act on the message alone."""
    rules = AttributionRules({"team": FieldRule(allowed=("search", "ads"), mode=RuleMode.BLOCK)})
    with pytest.raises(AttributionBlocked) as refused:
        rules.decide(Attribution(team="serach")).raise_if_blocked()
    assert str(refused.value).startswith("team is 'serach', allowed: search, ads. Did you mean 'search'?\n  fix: ")
    assert "genops.attribution(team=...)" in str(refused.value)
    assert "GENOPS_TEAM=..." in str(refused.value)
    assert refused.value.reason_code == "x_attribution_invalid"
    assert refused.value.rule == "attribution.team"


def test_every_blocking_rule_is_in_the_message():
    """A call that breaks two rules is told of both at once."""
    rule = FieldRule(required=True, mode=RuleMode.BLOCK)
    refusal = AttributionRules({"team": rule, "feature": rule}).decide(Attribution()).refusal()
    assert "team is required and not set.\n  also: feature is required and not set." in str(refusal)


def test_a_warning_is_logged_once_per_field_and_value(caplog):
    """The same bad value many times is one line in the log; another value is another line."""
    rules = AttributionRules({"team": FieldRule(allowed=("search",))})
    with caplog.at_level(logging.WARNING):
        for team in ("a", "a", "b", "a"):
            decision = rules.decide(Attribution(team=team))
            assert decision.result == "WARNING"
            assert decision.reason_code == "x_attribution_invalid"
            decision.raise_if_blocked()
    assert len(caplog.records) == 2


def test_a_rule_for_an_unknown_attribute_is_refused():
    """A misspelt attribute in a rule would otherwise never apply."""
    with pytest.raises(ConfigurationError, match=r"unknown attribute 'teams'. Did you mean 'team'\?"):
        AttributionRules({"teams": FieldRule()})


def test_a_pattern_that_is_none_is_refused():
    """A broken regular expression is found when it is written, not when a call is made."""
    with pytest.raises(ConfigurationError, match="is no regular expression"):
        FieldRule(pattern="(")
