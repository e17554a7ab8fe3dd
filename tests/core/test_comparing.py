"""Comparing and choosing models: exact where tokens are known, a range where they are not, within what is left."""

from __future__ import annotations

from decimal import Decimal

import pytest

import genops
from genops.core.budgets.model import Budget
from genops.core.choosing import Complexity, complexity_of
from genops.core.comparing import TokenRatios
from genops.core.errors import ConfigurationError
from genops.testing.capture import capture

TWO = ["openai/gpt-4o", "openai/gpt-4o-mini"]
TRUSTED = {"openai/gpt-4o-mini": "simple", "openai/gpt-4.1": "moderate", "openai/gpt-4o": "complex"}


def test_cheapest_comes_first_and_a_model_without_a_price_last() -> None:
    """A thousand calls of 1000 and 100 tokens."""
    found = genops.compare_provider_costs([*TWO, "openai/nope"], input_tokens=1000, output_tokens=100, calls=1000)

    assert ["gpt-4o-mini", "gpt-4o", "nope"] == [each.model for each in found.costs]
    assert (Decimal("0.21"), Decimal("3.5"), None) == tuple(each.low for each in found.costs)
    assert found.cheapest is not None
    assert ("gpt-4o-mini", True) == (found.cheapest.model, found.cheapest.exact)
    assert "no price for nope" == found.costs[-1].reason


def test_names_of_the_brief_and_of_the_issue_are_one_function() -> None:
    """As `init` is `auto_instrument`."""
    assert genops.compare_costs is genops.compare_provider_costs
    assert genops.estimate_migration is genops.estimate_migration_costs


def test_another_models_tokens_are_a_range() -> None:
    """Inside a provider only the answer differs in length; across providers the prompt does, too."""
    found = genops.compare_provider_costs(
        [*TWO, "anthropic/claude-haiku-4-5"], input_tokens=1_000_000, reference="openai/gpt-4o"
    )
    by_model = {each.model: (each.low, each.high) for each in found.costs}

    assert (Decimal("0.15"), Decimal("0.15")) == by_model["gpt-4o-mini"]
    assert (Decimal("0.8"), Decimal("1.3")) == by_model["claude-haiku-4-5"]


def test_migration_says_what_is_saved_at_least_and_at_most() -> None:
    """Exact ratios give one number; the default a range around it."""
    exact = TokenRatios()
    same = genops.estimate_migration_costs(*TWO, input_tokens=1000, output_tokens=100, calls=1000, ratios=exact)
    found = genops.estimate_migration_costs(*TWO, input_tokens=1000, output_tokens=100, calls=1000)

    assert (Decimal("3.29"), Decimal("3.29")) == same.saving
    assert found.saving is not None
    assert found.saving[0] < Decimal("3.29") < found.saving[1]
    assert genops.estimate_migration_costs(TWO[0], "openai/nope", input_tokens=1).saving is None


def test_cache_and_audio_are_priced_where_there_is_a_price() -> None:
    """Cached tokens cost input where a model has no cache price; a meter without any price is named."""
    found = genops.compare_provider_costs(["openai/gpt-4", "openai/gpt-4o"], usage={"cache_read": 1_000_000})
    missing = genops.compare_provider_costs(["openai/gpt-4"], usage={"input": 1, "output_images": 1})

    assert [Decimal("1.25"), Decimal("30")] == [each.low for each in found.costs]
    assert ("output_images",) == missing.costs[0].missing_meters
    assert missing.cheapest is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"models": ["gpt-4o"]}, "names no model of a provider"),
        ({"models": []}, "no model to compare"),
        ({"models": TWO, "calls": 0}, "calls is 0"),
        ({"models": TWO, "usage": {"tokens": 1}}, "not understood"),
        ({"models": TWO, "usage": {"input": 1}, "input_tokens": 1}, "given twice"),
    ],
)
def test_what_is_not_understood_says_what_to_type(arguments: dict[str, object], problem: str) -> None:
    """With a fix."""
    with pytest.raises(ConfigurationError, match=problem) as error:
        genops.compare_provider_costs(**arguments)
    assert error.value.fix


def test_user_rates_apply_when_configured() -> None:
    """A discount turns the order round."""
    with capture(prices={"discounts": [{"provider": "openai", "model": "gpt-4o", "percent": "99"}]}):
        found = genops.compare_provider_costs(TWO, input_tokens=1000)

    assert ["gpt-4o", "gpt-4o-mini"] == [each.model for each in found.costs]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Is this mail spam? Hello, you won.", Complexity.SIMPLE),
        ("Fix it:\n```python\ndef f(x): return x\n```", Complexity.MODERATE),
        ("Refactor and debug this algorithm step by step:\n```python\nclass A: ...\n```", Complexity.COMPLEX),
        ("word " * 40_000, Complexity.MODERATE),
    ],
)
def test_complexity_by_plain_signs(prompt: str, expected: Complexity) -> None:
    """The same text is always as hard."""
    assert expected is complexity_of(prompt)


def test_cheapest_trusted_model_is_chosen() -> None:
    """As hard as it is said to be, or as it looks."""
    choose = genops.choose_model
    assert "openai/gpt-4o-mini" == choose(TRUSTED, prompt="Is this spam?").name
    assert "openai/gpt-4.1" == choose(TRUSTED, complexity="moderate").name
    assert "openai/gpt-4o" == choose(TRUSTED, complexity="complex").name


def test_money_that_is_left_decides() -> None:
    """Too dear: a less trusted one, or, without downgrade, the trusted one that does not fit, and says so."""
    down = genops.choose_model(TRUSTED, complexity="complex", input_tokens=1000, max_cost="0.001")
    stay = genops.choose_model(TRUSTED, complexity="complex", input_tokens=1000, max_cost="0.001", downgrade=False)

    assert ("openai/gpt-4o-mini", True, True) == (down.name, down.downgraded, down.fits)
    assert ("openai/gpt-4o", False, False) == (stay.name, stay.downgraded, stay.fits)
    assert "nothing fits" in stay.reason


def test_budgets_that_match_are_heeded() -> None:
    """A team with a cent left gets the small model, another the large one."""
    budget = Budget(name="search", limit=Decimal("0.002"), match={"team": ("search",)})
    with capture(budgets=[budget]):
        poor = genops.choose_model(TRUSTED, complexity="complex", input_tokens=1000, team="search")
        rich = genops.choose_model(TRUSTED, complexity="complex", input_tokens=1000, team="ads")

    assert ("openai/gpt-4o-mini", Decimal("0.002")) == (poor.name, poor.room)
    assert ("openai/gpt-4o", None) == (rich.name, rich.room)


def test_choice_that_cannot_be_made_is_refused() -> None:
    """No candidates, nothing about the task, a level that is none, a float for money."""
    for arguments in (
        {"candidates": {}, "prompt": "x"},
        {"candidates": TRUSTED},
        {"candidates": {"openai/gpt-4o": "simpel"}, "prompt": "x"},
        {"candidates": TRUSTED, "prompt": "x", "max_cost": 0.1},
    ):
        with pytest.raises(ConfigurationError):
            genops.choose_model(**arguments)
