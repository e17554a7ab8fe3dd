"""The vectors of budgets: windows, counter keys, amounts and refusals that both runtimes must agree on."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genops.config.budgets import parse_budgets, parse_rate_limits
from genops.core.budgets.plans import BudgetCall, Planner
from genops.core.budgets.units import amount_of, as_counted
from genops.core.errors import ConfigurationError
from genops.stores.budgets._rows import legs_to_text

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "spec/vectors/budget"


def _read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_files_are_what_their_builder_makes():
    """Nothing in them was changed by hand, and nothing in the code without them."""
    sys.path.insert(0, str(ROOT / "tools"))
    import build_budget_vectors

    assert {
        path.name: path.read_text(encoding="utf-8") for path in VECTORS.glob("*.json")
    } == build_budget_vectors.render()


def test_each_moment_lies_in_its_window():
    """Start, end, label and buckets of every kind of window, around every kind of change of the clock."""
    for case in _read("windows.json"):
        (budget,) = parse_budgets([{"name": "a", "limit": 1, "window": case["window"]}])
        span = budget.window.at(case["at"])

        expected = {**case["expect"], "buckets": tuple(case["expect"]["buckets"])}
        found = {"start": span.start, "end": span.end, "label": span.label, "buckets": span.buckets}
        assert expected == found | {"series": budget.window.series}, case


def test_each_call_stands_on_its_counters():
    """The legs as the stores keep them, what is reserved on each, and what is charged."""
    document = _read("keys.json")
    planner = Planner((*parse_budgets(document["budgets"]), *parse_rate_limits(document["rate_limits"])))
    for case in document["cases"]:
        given, expect = case["call"], case["expect"]
        facts = given.get("provider"), given.get("model"), given.get("operation")
        call = BudgetCall(given["attributes"], *facts, *case["tokens"], Decimal(case["cost"]))
        plan = planner.plan(call, case["at"])
        amounts = plan.amounts(call)

        assert expect["legs"] == legs_to_text(plan.legs)
        assert expect["limits"] == " ".join(f"{'h' if leg.hard else 's'}{leg.limit}" for leg in plan.legs)
        assert (expect["reserved"], expect["unknown"]) == (list(amounts.reserved), list(amounts.unknown))
        used = {"USD": Decimal("0.02"), "tokens": 900, "requests": 1}
        assert expect["settled"] == list(plan.actuals(amounts.reserved, used))


@pytest.mark.parametrize("case", _read("units.json"), ids=lambda case: f"{case['amount']} {case['unit']}")
def test_amounts_are_counted_whole_and_rounded_up(case):
    """Nano-units of money, and None for what no counter holds."""
    if case["counted"] is None:
        with pytest.raises(ConfigurationError):
            as_counted(Decimal(case["amount"]), case["unit"])
        return
    assert case["counted"] == as_counted(Decimal(case["amount"]), case["unit"])
    assert Decimal(case["said"]) == amount_of(case["counted"], case["unit"])


@pytest.mark.parametrize("case", _read("refused.json"), ids=lambda case: json.dumps(case["budget"]))
def test_declarations_that_cannot_work_are_refused(case):
    """With the place and a fix."""
    with pytest.raises(ConfigurationError) as caught:
        parse_budgets([case["budget"]])

    assert caught.value.fix
