"""Every example is a program: it ends well, says nothing on stderr, and what it prints is what the ledger holds."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from tests.examples.hosts import PYTHON, ROOT, VARIABLES, provider

from genops.core.ledger import LedgerEntry, Outcome
from genops.providers._engine.registry import adapters
from genops.stores import LedgerReader

EXAMPLES = ROOT / "examples"
NOT_YET = frozenset(VARIABLES) - frozenset(adapters()) - {"openai_compatible"}  # the last is governed by openai's
WITHOUT = {name for name, python in PYTHON.items() if not python.exists()}  # `make examples` installs it
ADAPTERS = [
    pytest.param(name, marks=pytest.mark.skipif(name in WITHOUT, reason=f"no {PYTHON.get(name)}"))
    for name in sorted(VARIABLES.keys() - NOT_YET)
]
ARGUMENTS = {"openai": ("file-1",), "anthropic": ("msgbatch_1",)}
# What the SDK of watsonx says itself: that a model is not IBM's, and errors before it raises them.
_THEIR_OWN = re.compile(r"^.*WatsonxAPIWarning(?:.*\n)+?  warn.*\n|^Failure during generate.*\n.*\n", re.M)
_TEAM = re.compile(r"^\s*(\w+): (\d+) calls, ([\d.]+) USD", re.M)


def _run(adapter: str, file: str, folder: Path, *arguments: str) -> tuple[str, list[LedgerEntry]]:
    program = EXAMPLES / adapter / file
    with provider(adapter, folder) as environment:
        result = subprocess.run(
            [str(PYTHON.get(adapter, sys.executable)), str(program), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    said = _THEIR_OWN.sub("", result.stderr) if adapter == "watsonx" else result.stderr
    assert (0, "") == (result.returncode, said), result.stdout + result.stderr
    return result.stdout, _entries(folder / "ledger")


def _entries(ledger: Path) -> list[LedgerEntry]:
    return list(LedgerReader(ledger).entries()) if ledger.is_dir() else []


def _said(printed: str) -> dict[str, tuple[int, Decimal]]:
    return {team: (int(calls), Decimal(amount)) for team, calls, amount in _TEAM.findall(printed)}


def _booked(entries: list[LedgerEntry], field: str = "team") -> dict[str, tuple[int, Decimal]]:
    made = [entry for entry in entries if entry.outcome is not Outcome.BLOCKED]
    calls = Counter(getattr(entry, field) for entry in made)
    nano = Decimal("0.000000001")
    return {
        each: (count, sum((e.cost or Decimal(0) for e in made if getattr(e, field) == each), Decimal(0)).quantize(nano))
        for each, count in calls.items()
    }


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_setup_is_valid(adapter: str, tmp_path: Path) -> None:
    """Package, methods and key are found, and nothing needs a fix."""
    printed, entries = _run(adapter, "setup_validation.py", tmp_path)

    assert [] == entries
    assert "every method to govern was found" in printed
    assert "fix:" not in printed


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_basic_tracking_books_each_call(adapter: str, tmp_path: Path) -> None:
    """One entry for each call, priced, streamed or not, for the team, customer and feature it was made for."""
    printed, entries = _run(adapter, "basic_tracking.py", tmp_path)

    assert {("support", "acme", "answers")} == {(e.team, e.customer_id, e.feature) for e in entries}
    assert {True, False} == {entry.streamed for entry in entries}
    assert [] == [entry for entry in entries if entry.cost is None or entry.usage_source != "reported"]
    assert _booked(entries) == _said(printed)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_application_need_not_change(adapter: str, tmp_path: Path) -> None:
    """Two calls of an application that knows nothing are two entries of its team."""
    printed, entries = _run(adapter, "auto_instrumentation.py", tmp_path)

    assert 2 == _said(printed)["support"][0]
    assert _booked(entries) == _said(printed)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_costs_add_up_per_team_customer_and_feature(adapter: str, tmp_path: Path) -> None:
    """What is printed for each team is what its entries cost."""
    printed, entries = _run(adapter, "cost_tracking.py", tmp_path)
    teams, customers = _booked(entries), _booked(entries, "customer_id")

    assert {"support": 3, "search": 2} == {team: calls for team, (calls, _) in teams.items()}
    assert [] == [entry for entry in entries if not entry.cost]
    said = re.findall(r"by (\w+)\n((?:  .*\n)+)", printed)
    assert [teams, customers] == [_said(lines) for field, lines in said if field in ("team", "customer_id")]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_rules_refuse_before_anything_is_sent(adapter: str, tmp_path: Path) -> None:
    """Drafts go to the small model, the trial has spent its budget, and an error of the provider costs nothing."""
    printed, entries = _run(adapter, "production_patterns.py", tmp_path)
    refused = [(entry.customer_id, entry.policy_name) for entry in entries if entry.outcome is Outcome.BLOCKED]
    failed = [entry for entry in entries if entry.outcome is Outcome.ERROR]

    assert [("acme", "drafts-on-the-small-model"), *[("trial-7", "trial-total")] * 2] == refused
    assert ["answer", "draft", "answer"] == [entry.feature for entry in entries if entry.outcome is Outcome.COMPLETED]
    assert [None] == [entry.cost or None for entry in failed]
    assert _booked(entries) == _said(printed)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_is_peculiar_is_booked(adapter: str, tmp_path: Path) -> None:
    """The adapter's own example: every call has a price, and the sum is the one printed."""
    arguments = ARGUMENTS.get(adapter, ())
    printed, entries = _run(adapter, f"{adapter}_specific_advanced.py", tmp_path, *arguments)

    assert [] == [(entry.request_model, entry.unpriced_reason) for entry in entries if entry.cost is None]
    assert _booked(entries) == _said(printed)
