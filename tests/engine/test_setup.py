"""Setting up and taking down: what `auto_instrument`, `status`, `uninstrument` and `validate_setup` do to a process."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import genops
from genops.core import attribution
from genops.core.validation import Finding, Severity, ValidationResult
from genops.providers._engine import registry
from genops.providers.anthropic import instrument_anthropic
from genops.providers.openai import create_openai_cost_context, instrument_openai
from genops.stores import LedgerReader
from genops.testing.replay import Exchange, ReplayServer, load_recordings

CHAT = "openai-chat-once-0b39ae08eb"
SAY: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project, and a process that is not governed."""
    for name in ("TEAM", "PROJECT", "ENVIRONMENT"):
        monkeypatch.setenv(f"GENOPS_{name}", name.lower())
    monkeypatch.setenv("GENOPS_LEDGER_DIR", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    genops.uninstrument()
    attribution.reset()
    logging.getLogger("genops").setLevel(logging.NOTSET)


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    recordings = {exchange.id: exchange for exchange in load_recordings(Path(__file__).parents[1] / "recordings")}
    with ReplayServer(unique_ids=True) as server:
        server.play(recordings[CHAT])
        with openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as made:
            yield made


def ask(client: openai.OpenAI, **more: Any) -> None:
    client.chat.completions.create(model="gpt-5.4-mini", messages=SAY, **more)


def booked(home: Path) -> list[Any]:
    return list(LedgerReader(home / "ledger").entries()) if (home / "ledger").exists() else []


def test_auto_instrument_governs_what_is_installed(home: Path, client: openai.OpenAI) -> None:
    """One line, and every call is in the ledger with its cost."""
    status = genops.auto_instrument()
    ask(client)

    assert {"openai", "anthropic"} <= set(status.instrumented)
    assert (True, home / "ledger") == (status.configured, status.ledger)
    (entry,) = booked(home)
    assert ("team", "priced") == (entry.team, entry.cost_status)


def test_uninstrument_restores_the_vendors_methods(home: Path, client: openai.OpenAI) -> None:
    """The very same function objects are back, and calls are no longer booked."""
    create = openai.resources.chat.completions.Completions.__dict__["create"]
    genops.auto_instrument(adapters=["openai"])
    assert openai.resources.chat.completions.Completions.__dict__["create"] is not create
    genops.uninstrument()
    ask(client)

    assert openai.resources.chat.completions.Completions.__dict__["create"] is create
    assert ([], False) == (booked(home), genops.status().configured)


def test_switching_on_and_off_and_on_books_once(home: Path, client: openai.OpenAI) -> None:
    """Twice is once, and after a pause it works as before."""
    for _ in range(2):
        genops.auto_instrument(adapters=["openai"])
        genops.auto_instrument(adapters=["openai"])
        ask(client)
        genops.uninstrument()

    assert 2 == len(booked(home))


def test_somebody_elses_wrapper_survives(home: Path, client: openai.OpenAI) -> None:
    """A method that was wrapped after us stays wrapped when we go, and our part passes everything through."""
    completions = openai.resources.chat.completions.Completions
    original, seen = completions.__dict__["create"], []
    genops.auto_instrument(adapters=["openai"])
    ours = completions.__dict__["create"]

    @functools.wraps(ours)
    def theirs(self: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["model"])
        return ours.__get__(self)(**kwargs)

    try:
        completions.create = theirs
        genops.uninstrument()
        ask(client)
        assert (["gpt-5.4-mini"], []) == (seen, booked(home))
        genops.auto_instrument(adapters=["openai"])
        ask(client)
        assert 1 == len(booked(home))
        completions.create = original  # they go, and take us with them
        genops.auto_instrument(adapters=["openai"])
        ask(client)
        assert 2 == len(booked(home))
    finally:
        genops.uninstrument()
        completions.create = original


def test_governance_that_is_switched_off_does_nothing(home: Path, client: openai.OpenAI) -> None:
    """`enabled: false` leaves the process as it was."""
    status = genops.auto_instrument(enabled=False)
    ask(client)

    assert ((), []) == (status.instrumented, booked(home))


def test_unknown_adapter_is_named_with_the_nearest() -> None:
    """A typo is no silence."""
    with pytest.raises(genops.ConfigurationError, match="Did you mean 'openai'"):
        genops.auto_instrument(adapters=["opanai"])


def test_adapter_can_be_excluded(home: Path) -> None:
    """What genops.yaml disables stays off."""
    (home / "genops.yaml").write_text("adapters: {disabled: [anthropic]}\n")

    assert "anthropic" not in genops.auto_instrument().instrumented


def test_ledger_can_be_switched_off(home: Path, client: openai.OpenAI) -> None:
    """Then nothing is written."""
    assert genops.auto_instrument(adapters=["openai"], ledger={"enabled": False}).ledger is None
    ask(client)

    assert not (home / "ledger").exists()


def test_vendor_is_patched_when_it_is_imported_later(home: Path) -> None:
    """`auto_instrument()` imports no vendor, and misses none that comes after it."""
    code = (
        "import genops, sys; genops.auto_instrument(); assert 'openai' not in sys.modules; import openai\n"
        "print(type(openai.resources.chat.completions.Completions.__dict__['create']).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "FunctionWrapper" == done.stdout.strip()


# -- one adapter -------------------------------------------------------------------------------------------------------


def test_adapter_of_its_own_attributes_a_client(home: Path, client: openai.OpenAI) -> None:
    """`instrument_openai().instrument_chat(client, team=...)` returns a client whose calls carry the team."""
    adapter = instrument_openai(feature="search")
    attributed = adapter.instrument_chat(client, team="support")
    with create_openai_cost_context("answers") as costs:
        ask(attributed)
    ask(client)
    adapter.uninstrument()
    ask(client)

    assert [("support", "search"), ("team", "search")] == [(entry.team, entry.feature) for entry in booked(home)]
    assert 1 == costs.get_final_summary().calls
    assert isinstance(attributed, openai.OpenAI)


async def test_attributed_async_client(home: Path) -> None:
    """Coroutines keep the attribution until they are done."""
    recordings = {exchange.id: exchange for exchange in load_recordings(Path(__file__).parents[1] / "recordings")}
    with ReplayServer() as server:
        server.play(recordings[CHAT])
        async with openai.AsyncOpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client:
            attributed = instrument_openai().instrument_chat(client, team="support")
            await attributed.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert ["support"] == [entry.team for entry in booked(home)]


def test_operation_an_adapter_does_not_have_is_refused() -> None:
    """The message lists those it has."""
    with pytest.raises(genops.ConfigurationError, match="it has messages, batches"):
        instrument_anthropic().instrument_chat(object())


def test_unknown_attribute_of_an_attributed_client_is_refused(client: openai.OpenAI) -> None:
    """At once, not at the first call."""
    with pytest.raises(genops.ConfigurationError, match="Did you mean 'team'"):
        instrument_openai().instrument_chat(client, teem="support")


# -- validation --------------------------------------------------------------------------------------------------------


def findings(result: ValidationResult) -> dict[str, list[Finding]]:
    by_check: dict[str, list[Finding]] = {}
    for finding in result.findings:
        by_check.setdefault(finding.check, []).append(finding)
    return by_check


def test_sound_set_up_is_valid(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check is made, and every problem would have had a fix."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    result = genops.validate_setup()
    genops.print_validation_result(result)

    assert result.is_valid
    assert {"settings", "attribution", "ledger", "telemetry", "openai", "anthropic"} <= set(findings(result))
    assert "every method to govern was found" in capsys.readouterr().out


def test_team_nobody_gave_is_reported_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification wants team, project and environment; what is used instead is said."""
    monkeypatch.delenv("GENOPS_TEAM")
    (finding,) = findings(genops.validate_setup())["attribution"]

    assert finding.message.startswith("team is not set; ")
    assert "GENOPS_TEAM=..." in str(finding.fix)


def test_bad_yaml_is_the_only_finding(home: Path) -> None:
    """What cannot be read is said with its place."""
    (home / "genops.yaml").write_text("attribution:\n  teem: x\n")
    (error,) = genops.validate_setup().findings

    assert (Severity.ERROR, True, True) == (error.severity, "genops.yaml:2" in error.message, bool(error.fix))


def test_unreachable_collector_and_missing_key_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls work all the same."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    warnings = {(finding.check, finding.message.split()[-1]) for finding in genops.validate_setup().warnings}

    assert any(check == "telemetry" for check, _ in warnings)
    assert any(check == "openai" for check, _ in warnings)


@pytest.mark.parametrize(("url", "valid"), [("sqlite:counted/budgets.db", True), ("redis://127.0.0.1:9/0", False)])
def test_store_of_the_budgets_is_asked(url: str, valid: bool, home: Path) -> None:
    """A store that does not answer refuses every call under a hard budget, so it is an error."""
    (home / "genops.yaml").write_text(f"budgets: [{{name: a, limit: 5}}]\nbudget_store: {{url: '{url}'}}\n")
    (finding,) = findings(genops.validate_setup())["budgets"]

    assert valid is (finding.severity is Severity.OK)
    assert valid or finding.fix


def test_live_check_tells_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """`live=True` makes a free call and reports what the provider said."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    refusal = Exchange(
        id="models",
        provider="openai",
        api="models",
        model=None,
        streaming=False,
        path="/v1/models",
        request={},
        status=401,
        headers={"content-type": "application/json"},
        body='{"error": {"message": "Incorrect API key provided"}}',
    )
    with ReplayServer() as server:
        server.play(refusal)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        live = findings(genops.validate_setup(live=True))["openai"][-1]

    assert Severity.ERROR is live.severity
    assert "Incorrect API key provided" in live.message
    assert "OPENAI_API_KEY" in str(live.fix)


def test_error_needs_a_fix() -> None:
    """A finding that only complains cannot be made."""
    with pytest.raises(ValueError, match="without a fix"):
        Finding(check="x", severity=Severity.ERROR, message="broken")


def test_package_out_of_range_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK too old or too new is an error with the command."""
    monkeypatch.setattr("genops.providers._engine.spec.metadata.version", lambda name: "0.9.0")
    errors = {error.check: error for error in genops.validate_setup().errors}

    assert "pip install -U 'openai>=1.40,<4'" == errors["openai"].fix
    assert "0.9.0" in str(next(x.problem for x in registry.statuses() if x.name == "openai"))


def test_validation_looks_at_policies_redaction_and_the_kill_switch(home: Path) -> None:
    """What is in force, what is odd about it, and what cannot be used; each with what to type."""
    (home / "p.yaml").write_text("rules: [{name: r, condition: 'region == \"eu\"'}]")
    (home / "genops.yaml").write_text("policy_files: [p.yaml]\nredaction: {requests: [EMAIL]}\n")
    (home / "ledger").mkdir(exist_ok=True)
    (home / "ledger/kill-switch.yaml").write_text("reason: incident 7")
    found = str(genops.validate_setup())

    assert "1 rules, version" in found
    assert "1 rules to look at, the first: 'r' (unknown-input)" in found
    assert "taken out of requests: EMAIL" in found
    assert "all calls: incident 7" in found
    assert "genops kill-switch off" in found
    (home / "p.yaml").write_text("rules: [{name: r, condition: 'regoin == 1'}]")
    (home / "genops.yaml").write_text("policy_files: [p.yaml]\nredaction: {requests: [EMIAL]}\n")
    broken = genops.validate_setup()

    assert not broken.is_valid
    assert "Did you mean 'region'" in str(broken)
    assert "Did you mean 'EMAIL'" in str(broken)
