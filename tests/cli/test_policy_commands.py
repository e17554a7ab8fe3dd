"""`genops policy` and `genops kill-switch`, as typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from genops.cli.main import make_app
from genops.core.errors import ConfigurationError
from genops.stores import open_ledger
from genops.testing.capture import capture

ROOT = Path(__file__).parents[2]
COOKBOOK = sorted((ROOT / "examples/policies").glob("*.yaml"))
POLICY = """\
# who may use what
rules:
  - name: no-o3
    condition: model == "o3"   # too dear
    reason_code: POLICY_DENY_MODEL
tests:
  - {name: o3, input: {model: o3}, expect: BLOCKED}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("TEAM", "PROJECT", "ENVIRONMENT"):
        monkeypatch.setenv(f"GENOPS_{name}", name.lower())
    monkeypatch.setenv("GENOPS_LEDGER_DIR", str(tmp_path / "ledger"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/p.yaml").write_text(POLICY)
    (tmp_path / "genops.yaml").write_text("policy_files: [policies/*.yaml]\n")
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(make_app(), list(arguments))
    if isinstance(result.exception, ConfigurationError):
        raise result.exception
    assert code == result.exit_code, result.output
    return result.output


def test_cookbook_has_ten_policies():
    """The guide promises them."""
    assert 10 <= len(COOKBOOK)


@pytest.mark.parametrize("file", COOKBOOK, ids=lambda file: file.stem)
def test_policy_of_the_cookbook_holds(file):
    """It is valid, its tests pass and reach every rule, nothing is odd about it, and it is formatted."""
    run("policy", "check", str(file))
    assert "no test makes" not in run("policy", "test", str(file))
    run("policy", "lint", str(file))
    assert "nothing to do" in run("policy", "fmt", "--check", str(file))


def test_files_of_genops_yaml_are_taken_where_none_is_named():
    """And what they hold is counted."""
    assert "1 rules, 0 exceptions, 1 tests" in run("policy", "check")


def test_wrong_file_says_where(project):
    """File, line, fix."""
    (project / "policies/p.yaml").write_text(POLICY.replace('model == "o3"', 'modle == "o3"'))
    with pytest.raises(ConfigurationError, match=r"policies/p\.yaml:4.*Did you mean 'model'"):
        run("policy", "check")


def test_no_files_says_what_to_write(project):
    """Neither arguments nor settings."""
    (project / "genops.yaml").write_text("")
    with pytest.raises(ConfigurationError, match="no policy file is named"):
        run("policy", "check")


def test_failing_test_is_shown_with_its_line(project):
    """Exit code 1."""
    (project / "policies/p.yaml").write_text(POLICY.replace("expect: BLOCKED", "expect: ALLOWED"))

    assert "p.yaml:7: o3: expected ALLOWED, found BLOCKED" in run("policy", "test", code=1)


def test_explain_says_what_each_rule_is(project):
    """For a person, and as JSON."""
    assert "no-o3" in run("policy", "explain", "-i", "model=o3")
    found = json.loads(run("policy", "explain", "-i", "model=o3", "--json"))

    assert ("BLOCKED", "POLICY_DENY_MODEL", ["no-o3"]) == (found["decision"], found["reason_code"], found["rules"])


def test_explain_refuses_what_is_no_input():
    """With what was meant."""
    with pytest.raises(ConfigurationError, match="Did you mean 'model'"):
        run("policy", "explain", "-i", "modl=o3")


def test_diff_shows_decisions_that_change(project):
    """On the tests of the files, and on calls of the ledger."""
    (project / "new.yaml").write_text(POLICY.replace('"o3"   # too dear', '"gpt-5.4"'))
    with capture() as captured:
        import genops

        genops.track_cost("0.5", provider="openai", model="gpt-5.4", team="a", project="b", environment="c")
    ledger = open_ledger(project / "ledger")
    ledger.append(captured.entry)
    ledger.close()

    found = run("policy", "diff", "policies/p.yaml", "new.yaml", "--ledger", str(project / "ledger"))
    assert "no-o3: changed: condition" in found
    assert "test 'o3': BLOCKED -> ALLOWED" in found
    assert re.search(r"call \S+: ALLOWED -> BLOCKED", found)
    assert "2 decisions change" in found


def test_fmt_keeps_comments_and_meaning(project):
    """And says so when there is nothing to do."""
    file = project / "policies/p.yaml"
    file.write_text(POLICY.replace("  - name", "-   name").replace("\n    ", "\n    "))
    run("policy", "fmt", "--check", code=1)
    before = yaml.safe_load(file.read_text())
    run("policy", "fmt")

    assert before == yaml.safe_load(file.read_text())
    assert "# who may use what" in file.read_text()
    assert "# too dear" in file.read_text()
    assert "nothing to do" in run("policy", "fmt", "--check")


def test_inputs_are_listed():
    """Every one."""
    assert "estimated_cost" in run("policy", "inputs")


def test_signed_exception_lets_a_call_through_until_somebody_changes_it(project):
    """keygen, except, check; and a scope that was widened by hand is refused."""
    keys = yaml.safe_load(run("policy", "keygen", str(project / "key")))
    assert 0o600 == (project / "key").stat().st_mode & 0o777
    (project / "genops.yaml").write_text(yaml.safe_dump({"policy_files": ["policies/*.yaml"], **keys}))
    grant = ("no-o3", "--match", "team=ads", "--owner", "ada", "--reason", "test", "--expires", "8h", "--key", "key")
    run("policy", "except", *grant, "--into", "policies/p.yaml")

    call = ("policy", "explain", "--json", "-i", "model=o3", "-i")
    assert "ALLOWED" == json.loads(run(*call, "team=ads"))["decision"]
    assert "BLOCKED" == json.loads(run(*call, "team=search"))["decision"]
    file = project / "policies/p.yaml"
    assert "# too dear" in file.read_text()
    file.write_text(file.read_text().replace("- ads", "- '*'"))
    with pytest.raises(ConfigurationError, match="was changed since"):
        run("policy", "check")


def test_exception_needs_a_trusted_key(project):
    """Nobody is trusted by default."""
    run("policy", "keygen", str(project / "key"))
    run("policy", "approve", "no-o3", "--owner", "a", "--expires", "1h", "--key", "key", "--into", "policies/p.yaml")
    with pytest.raises(ConfigurationError, match="there are no trusted_keys"):
        run("policy", "check")


def test_keygen_overwrites_nothing(project):
    """A lost key cannot be had again."""
    run("policy", "keygen", "key")
    with pytest.raises(ConfigurationError, match="is there already"):
        run("policy", "keygen", "key")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--match", "teams=a", "--expires", "1h"), "Did you mean 'team'"),
        (("--match", "team", "--expires", "1h"), "expected name=value"),
        (("--expires", "tomorrow"), "expected a date or a time"),
        (("--expires", "2026-12-31T10:00:00"), "no offset from UTC"),
    ],
)
def test_mistakes_in_a_permission_are_refused(arguments, message):
    """Before anything is signed."""
    run("policy", "keygen", "key")
    with pytest.raises(ConfigurationError, match=message):
        run("policy", "approve", "no-o3", "--owner", "a", "--key", "key", *arguments)


def test_kill_switch_on_status_off(project):
    """Exit code 1 while it is on."""
    assert "off" in run("kill-switch", "status")
    run("kill-switch", "on", "--match", "provider=openai", "--reason", "incident 7")
    assert "provider=openai: incident 7" in run("kill-switch", "status", code=1)
    run("kill-switch", "off")
    run("kill-switch", "status")
    assert "was off" in run("kill-switch", "off")


def test_kill_switch_of_the_environment(monkeypatch):
    """Refused if it names nothing to stop."""
    monkeypatch.setenv("GENOPS_KILL_SWITCH", "team=ads")
    assert "team=ads" in run("kill-switch", "status", code=1)
    monkeypatch.setenv("GENOPS_KILL_SWITCH", "ads")
    with pytest.raises(ConfigurationError, match="names nothing to stop"):
        run("kill-switch", "status")
