"""A rule is shown as it is written."""

from __future__ import annotations

from pathlib import Path

from genops.config import settings
from genops.server.dashboard.rules import written_rules

POLICIES = """\
# For everybody.
rules:
  # Frontier models are for the launch team.
  # Ask ada.
  - name: no-frontier
    match: {team: growth}
    condition: model.startsWith("claude-opus")   # all of them
    message: |
      Growth runs on
      small models.

  # The last one.
  - {name: cheap-copy, match: {feature: copy}, condition: 'model == "gpt-4o"',
     actions: {reroute: gpt-4o-mini}}
"""
SETTINGS = """\
policy_files: [rules.yaml]
budgets:
  - name: team-daily
    limit: 20
    window: day

rate_limits:
  - {name: copies, limit: 40}
"""


def test_every_rule_is_shown_word_for_word_with_its_place(tmp_path: Path) -> None:
    """Comments above and inside belong to a rule; the next rule and its comments do not."""
    (tmp_path / "rules.yaml").write_text(POLICIES)
    (tmp_path / "genops.yaml").write_text(SETTINGS)
    written, trouble = written_rules(settings.load({}, config_file=tmp_path / "genops.yaml", environ={}))
    found = {each.name: each for each in written}

    assert trouble is None
    assert ["no-frontier", "cheap-copy", "team-daily", "copies"] == list(found)
    assert "rules.yaml:5" == found["no-frontier"].place
    assert "\n".join(line[2:] for line in POLICIES.splitlines()[2:10]) == found["no-frontier"].text
    assert found["cheap-copy"].text.endswith("actions: {reroute: gpt-4o-mini}}")
    assert "# The last one." in found["cheap-copy"].text
    assert "- name: team-daily\n  limit: 20\n  window: day" == found["team-daily"].text
    assert ("rate_limits", "genops.yaml:8") == (found["copies"].kind, found["copies"].place)


def test_a_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """Rules that are not in force are not shown as if they were."""
    (tmp_path / "rules.yaml").write_text("rules: [{name: x, condition: 'nonsense('}]")
    (tmp_path / "genops.yaml").write_text("policy_files: [rules.yaml]")
    written, trouble = written_rules(settings.load({}, config_file=tmp_path / "genops.yaml", environ={}))

    assert [] == written
    assert trouble is not None
    assert "rules.yaml" in trouble
