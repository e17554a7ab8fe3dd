"""Trials: how a test differs from what the rules say, and what changed between two states of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from genops.config.policies import parse_policy
from genops.core.errors import ConfigurationError
from genops.core.rules.model import Exemption
from genops.core.rules.ruleset import RuleSet
from genops.core.rules.signing import is_signed, new_key, public_key_of, sign
from genops.core.rules.trials import changed_rules, disagreements, try_rules

TEXT = """
rules:
  - {name: no-o3, condition: 'model == "o3"', reason_code: POLICY_DENY_MODEL}
  - {name: short, condition: 'model == "gpt-4o"', actions: {max_output_tokens: 5}}
tests:
  - name: o3
    input: {model: o3}
    expect: {decision: WARNING, reason_code: x_other, rules: [short], actions: {max_output_tokens: 9}}
"""


def test_every_difference_is_named() -> None:
    """Decision, reason code, rules and actions."""
    policy = parse_policy(TEXT)
    found = disagreements(policy.tests[0], try_rules(RuleSet(policy.rules), policy.tests[0].given))

    assert [
        "expected WARNING, found BLOCKED (rule 'no-o3' refuses this call: model == \"o3\")",
        "expected reason code x_other, found POLICY_DENY_MODEL",
        "expected rules short, found no-o3",
        "expected actions max_output_tokens=9, found none",
    ] == found


def test_changes_are_told_by_rule() -> None:
    """Added, removed, changed with the fields; another place in the file is no change."""
    before = parse_policy(TEXT).rules
    after = (replace(before[0], condition='model == "o4"', source="elsewhere:1"), replace(before[1], name="shorter"))

    assert [("no-o3", "changed: condition"), ("short", "removed"), ("shorter", "added")] == changed_rules(
        RuleSet(before), RuleSet(after)
    )
    assert [] == changed_rules(RuleSet(before), RuleSet([replace(each, source="x:1") for each in before]))


EXCEPTION = Exemption(id="e", rule="r", owner="ada", reason="x", expires=datetime(2027, 1, 1, tzinfo=UTC))


def test_signature_is_over_everything_an_exception_says() -> None:
    """Any change breaks it; another key did not sign it; noise is no signature."""
    private, public = new_key()
    signed = replace(EXCEPTION, signature=sign(EXCEPTION, private))

    assert public == public_key_of(private)
    assert is_signed(signed, [new_key()[1], public])
    assert not is_signed(signed, [new_key()[1]])
    for change in ({"id": "f"}, {"rule": "s"}, {"owner": "bob"}, {"reason": "y"}, {"match": {"team": ("a",)}}):
        assert not is_signed(replace(signed, **change), [public])
    assert not is_signed(replace(signed, expires=datetime(2028, 1, 1, tzinfo=UTC)), [public])
    assert not is_signed(replace(signed, signature="!"), [public])


@pytest.mark.parametrize("key", ["", "!", "AAAA"])
def test_text_that_is_no_key_is_refused(key: str) -> None:
    """It says how to make one."""
    with pytest.raises(ConfigurationError, match="32 bytes in base64") as caught:
        sign(EXCEPTION, key)
    assert "genops policy keygen" in str(caught.value.fix)
