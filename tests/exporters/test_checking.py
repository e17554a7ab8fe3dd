"""`genops validate --backend`: what is missing, what is refused and what arrives, each with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.exporters import loopback
from tests.exporters.loopback import run

from genops.core.validation import Finding, Severity
from genops.exporters.checking import check_backend

CLI = "from genops.cli import main; main()"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[loopback.Backend]:
    """A Honeycomb on loopback, with its variables set."""
    with loopback.backend() as running:
        monkeypatch.setenv("HONEYCOMB_API_KEY", "k")
        monkeypatch.setenv("HONEYCOMB_ENDPOINT", running.url)
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
        yield running


def last(findings: list[Finding]) -> tuple[Severity, str, str]:
    return findings[-1].severity, findings[-1].message, str(findings[-1].fix)


def test_span_that_arrives_is_said(server: loopback.Backend) -> None:
    """Live sends one span, through the exporter that is used, with the key."""
    severity, message, _ = last(check_backend("honeycomb", live=True))

    assert (Severity.OK, True) == (severity, "was sent" in message)
    assert ["genops validate"] == [span.name for sent in server.sent for span in sent.spans]
    assert "k" == server.to("/v1/traces").headers["x-honeycomb-team"]


def test_nothing_is_sent_without_live(server: loopback.Backend) -> None:
    """The variables are looked at, and no more."""
    findings = check_backend("honeycomb")

    assert [] == server.sent
    assert f"traces go to {server.url}/v1/traces" == findings[0].message


@pytest.mark.parametrize(
    ("status", "says", "fix"),
    [
        (401, b"unknown API key", "check HONEYCOMB_API_KEY"),
        (403, b"forbidden", "check HONEYCOMB_API_KEY"),
        (404, b"no such page", "HONEYCOMB_ENDPOINT"),
        (415, b"", "HONEYCOMB_ENDPOINT"),
        (400, b"bad", "see https://docs.honeycomb.io"),
    ],
)
def test_refusal_says_what_to_look_at(server: loopback.Backend, status: int, says: bytes, fix: str) -> None:
    """A wrong key, a wrong address: the answer of the backend and the variable."""
    server.status, server.says = status, says
    severity, message, found = last(check_backend("honeycomb", live=True))

    assert Severity.ERROR is severity
    assert f"HTTP {status} {says.decode()}".rstrip() in message
    assert fix in found


def test_standard_endpoint_that_is_not_heeded_is_said(
    server: loopback.Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both set: the backend goes first, and nobody has to find that out."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere:4318")

    assert [Severity.WARNING] == [each.severity for each in check_backend("honeycomb") if "not heeded" in each.message]


def test_command_line_says_what_is_missing(tmp_path: Path) -> None:
    """Exit status 1 and the variables with their meaning; 0 when nothing is."""
    missing = run(tmp_path, CLI, "validate", "--backend", "grafana-cloud")
    unknown = run(tmp_path, CLI, "validate", "--backend", "grafana")
    complete = run(tmp_path, CLI, "validate", "--backend", "tempo")

    assert 1 == missing.returncode
    assert "needs GRAFANA_ZONE and GRAFANA_INSTANCE_ID and GRAFANA_TOKEN" in missing.stdout
    assert "fix: export GRAFANA_ZONE=prod-eu-west-2 GRAFANA_INSTANCE_ID=123456" in missing.stdout
    assert (1, True) == (unknown.returncode, "Did you mean 'grafana-cloud'?" in unknown.stdout)
    assert 0 == complete.returncode


def test_backend_of_the_settings_is_checked_with_the_rest(tmp_path: Path) -> None:
    """`genops validate` alone looks at what genops.yaml names."""
    done = run(tmp_path, CLI, "validate", GENOPS_BACKEND="datadog")

    assert "backend 'datadog' needs DD_API_KEY" in done.stdout
