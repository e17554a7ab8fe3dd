"""What the application says of its answers is in the ledger, beside the calls it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

import genops
from genops.analytics import Filters, open_source


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    genops.configure()  # conftest.py says where the ledger is
    return tmp_path / "ledger"


def test_evaluation_is_kept_with_its_call_trace_and_attribution(ledger: Path) -> None:
    """Score, threshold and verdict; the calls' filters find it, those of columns it does not have itself, too."""
    with genops.track("answer", team="search"):
        call = genops.track_cost("0.01", provider="openai", model="gpt-4o")
        assert call is not None
        genops.record_evaluation("accuracy", 0.7, threshold=0.8, call_id=call.call_id)
        genops.record_evaluation("tone", 0.9)
    genops.uninstrument()
    source = open_source(ledger)

    rows = {row["name"]: row for row in source.query("evaluations")}
    assert (1, 0.7, 0, 1) == tuple(rows["accuracy"][name] for name in ("count", "mean", "passed", "failed"))
    assert (0, 0) == (rows["tone"]["passed"], rows["tone"]["failed"])
    for column, value, found in (("team", "search", 2), ("team", "ads", 0), ("model", "gpt-4o", 1), ("model", "x", 0)):
        assert found == len(source.query("evaluations", Filters(where=((column, value),)))), (column, value)
    source.close()


def test_evaluation_without_a_ledger_stays_an_event(tmp_path: Path) -> None:
    """Nothing is written and nothing is raised before `configure()`."""
    genops.record_evaluation("accuracy", 0.9)

    assert not (tmp_path / "ledger").exists()
