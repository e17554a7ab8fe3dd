"""Whatever is in a file, it is read or refused with a clear error: nothing else is ever raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genops.config.budgets import budget_settings
from genops.config.files import parse
from genops.config.policies import parse_policy
from genops.core.errors import ConfigurationError
from genops.core.rules.lint import lint
from genops.core.rules.ruleset import RuleSet
from genops.core.rules.trials import try_rules

ROOT = Path(__file__).parents[2]
COOKBOOK = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "examples/policies").glob("*.yaml"))]
BUDGETS = """\
budgets:
  - {name: a, match: {team: search}, group_by: [customer_id], limit: 12.5, window: {every: month}}
  - {name: b, unit: tokens, limit: 1000, window: {rolling: 24h}, mode: soft, thresholds: [50], slice: 10}
rate_limits: [{name: c, limit: 60, per: 1m, unit: requests}]
budget_store: {url: "sqlite:budgets.db", namespace: x}
"""
KEYS = st.sampled_from(
    [
        *(
            "name",
            "rules",
            "match",
            "condition",
            "decision",
            "reason_code",
            "mode",
            "on_error",
            "on_unknown",
            "actions",
        ),
        *(
            "message",
            "tests",
            "input",
            "expect",
            "variables",
            "flags",
            "exceptions",
            "expires",
            "approval",
            "retry_after",
        ),
        *(
            "budgets",
            "rate_limits",
            "limit",
            "window",
            "group_by",
            "unit",
            "thresholds",
            "slice",
            "per",
            "budget_store",
        ),
        *("model", "team", "every", "rolling", "time_zone"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["model == 'o3'", "estimated_cost > 1", "((((", "BLOCKED", "x_a", "{model", "24h", "month", "*", "true"]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def use_policy(text: str) -> None:
    policy = parse_policy(text)
    rules = RuleSet(policy.rules, flags=policy.flags)
    lint(policy.rules, policy.exemptions)
    for test in policy.tests:
        try_rules(rules, test.given)


def use_budgets(text: str) -> None:
    budget_settings(parse(text, name="genops.yaml"))


def refused_clearly(use: Any, text: str) -> None:
    try:
        use(text)
    except ConfigurationError as error:
        refusal = error
    else:
        return
    assert refusal.message
    assert refusal.fix


@st.composite
def damaged(draw: Any, texts: list[str]) -> str:
    """A right file with a few characters changed, left out or doubled."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        middle = draw(st.one_of(st.just(""), st.just(text[start:end] * 2), st.text(max_size=5), SCALARS.map(str)))
        text = text[:start] + middle + text[end:]
    return text


@pytest.mark.parametrize(
    ("use", "texts"), [(use_policy, COOKBOOK), (use_budgets, [BUDGETS])], ids=["policy", "budgets"]
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_file_is_read_or_refused(use, texts, data):
    """With a message and a fix."""
    refused_clearly(use, data.draw(damaged(texts)))


@pytest.mark.parametrize("use", [use_policy, use_budgets], ids=["policy", "budgets"])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(tree=st.dictionaries(KEYS, TREES, max_size=5))
def test_any_structure_is_read_or_refused(use, tree):
    """Right keys in wrong places, with values of any kind."""
    refused_clearly(use, yaml.safe_dump(tree))
