"""Cedar: real policies, by cedarpy."""

from __future__ import annotations

from typing import Any

import pytest

import genops
from genops.config.engines import CedarSettings
from genops.core.decision import Result
from genops.core.errors import ConfigurationError
from genops.core.rules.engines import PolicyEngineError
from genops.engines import open_engines
from genops.engines.cedar import CedarEngine

POLICIES = """\
@id("everyone")
permit (principal, action, resource);

@id("no-o3") @reason_code("POLICY_DENY_MODEL") @message("too dear") @fix("use gpt-4o-mini")
forbid (principal, action == Action::"chat", resource == Model::"o3");

@id("dear") @decision("WARNING")
forbid (principal == Team::"search", action, resource)
when { context has estimated_cost_micro_usd && context.estimated_cost_micro_usd > 500000 };

@id("no-shell")
forbid (principal, action, resource) when { context.tools.contains("shell") };
"""
CALL: dict[str, Any] = {
    "team": "search",
    "operation": "chat",
    "model": "gpt-4o",
    "estimated_cost": 0.25,
    "budget_used": 0.5,
    "tools": [],
    "tags": {"tier": "gold"},
    "flags": {},
    "streamed": False,
    "now": "2026-11-23T12:00:00+00:00",
}


def rules(**facts: Any) -> list[tuple[str, Result]]:
    return [(each.rule, each.result) for each in CedarEngine(POLICIES).evaluate({**CALL, **facts})]


def test_call_that_is_permitted_breaks_nothing():
    """Team, operation and model are principal, action and resource."""
    assert [] == rules()


def test_every_policy_that_forbids_is_listed():
    """With what its annotations say."""
    found = CedarEngine(POLICIES, source="p.cedar").evaluate({**CALL, "model": "o3", "tools": ["shell"]})

    assert {"no-o3", "no-shell"} == {each.rule for each in found}
    one = next(each for each in found if each.rule == "no-o3")
    assert ("POLICY_DENY_MODEL", "policy 'no-o3' of Cedar: too dear") == (one.reason_code, one.message)
    assert "use gpt-4o-mini; or change the policy (p.cedar)" == one.fix


def test_amounts_are_whole_numbers():
    """Half a dollar is 500,000 micro-dollars; a policy may warn."""
    assert [] == rules(estimated_cost=0.5)
    assert [("dear", Result.WARNING)] == rules(estimated_cost=0.500001)


def test_what_nothing_permits_is_refused():
    """Cedar's way."""
    (found,) = CedarEngine('permit (principal == Team::"ads", action, resource);').evaluate(CALL)

    assert ("no-permit", Result.BLOCKED) == (found.rule, found.result)


def test_policy_that_fails_is_an_error_and_no_pass():
    """Cedar itself would pass a failing forbid over."""
    policies = (
        'permit (principal, action, resource); forbid (principal, action, resource) when { context.region == "us" };'
    )
    with pytest.raises(PolicyEngineError, match="region"):
        CedarEngine(policies).evaluate(CALL)


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ("forbid (princ", "not Cedar"),
        ('@decision("NO") forbid (principal, action, resource);', "decides 'NO'"),
        ('@reason_code("NO") forbid (principal, action, resource);', "reason code 'NO'"),
    ],
)
def test_mistake_is_refused_when_it_is_read(policies, message):
    """With the file."""
    with pytest.raises(ConfigurationError, match=f"p.cedar: .*{message}"):
        CedarEngine(policies, source="p.cedar")


def test_file_that_is_not_there_says_so(tmp_path):
    """And which key names it."""
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        open_engines([CedarSettings(policies="none.cedar")], tmp_path)
    assert "policies under cedar" in str(caught.value.fix)


def test_engine_of_genops_yaml_decides_about_calls(tmp_path, monkeypatch):
    """Beside everything else, before the call is booked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.cedar").write_text(POLICIES.replace('Action::"chat"', 'Action::"inference"'))
    (tmp_path / "genops.yaml").write_text(
        "attribution: {team: search, project: p, environment: e}\npolicy_engines: [{cedar: {policies: p.cedar}}]\n"
    )
    genops.configure(ledger={"dir": str(tmp_path / "ledger")})
    try:
        with pytest.raises(genops.PolicyBlocked, match="too dear"):
            genops.track_cost("0.1", provider="openai", model="o3")
        assert genops.track_cost("0.1", provider="openai", model="gpt-4o") is not None
    finally:
        genops.uninstrument()
