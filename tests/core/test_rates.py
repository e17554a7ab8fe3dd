"""Rates of the user's own: what is written wrong is refused with what to write."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from genops.core.errors import ConfigurationError
from genops.core.rates import Rates


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"discount": []}, "Did you mean 'discounts'"),
        ({"model_aliases": {"my-deployment": "gpt-4o"}}, "'my-deployment' is not understood"),
        ({"model_aliases": {"azure/x": {"model": "gpt-4o", "deploymenttype": "x"}}}, "Did you mean 'deployment_type'"),
        ({"discounts": [{"provider": "openai", "percent": "120"}]}, "percent is 120"),
        ({"discounts": [{"provider": "openai", "percent": 1.5}]}, "expected an exact amount"),
        ({"discounts": [{"provider": "openai", "percent": "much"}]}, "expected an exact amount"),
        ({"discounts": ["openai"]}, "is not an entry"),
        ({"discounts": [{"provider": "openai", "percent": "5", "from": "tomorrow"}]}, "is no date"),
        ({"custom_rates": [{"provider": "ollama", "unit": "compute_hours", "usd": "1"}]}, "compute_hour"),
    ],
)
def test_mistake_is_refused(given: dict[str, Any], message: str) -> None:
    """It names the entry."""
    with pytest.raises(ConfigurationError, match=message):
        Rates.parse(given)


def test_free_may_be_a_name_or_an_entry() -> None:
    """A model, a provider with a model, or both with days."""
    found = Rates.parse({"free": ["tiny", "ollama/*", {"provider": "acme", "from": "2026-01-01", "to": "2026-02-01"}]})
    tiny, ollama, acme = found.free

    assert tiny.covers("openai", ["tiny"], date(2026, 1, 1))
    assert ollama.covers("ollama", ["llama3"], date(2026, 1, 1))
    assert not ollama.covers("openai", ["llama3"], date(2026, 1, 1))
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)]
    assert [False, True, True, False] == [acme.covers("acme", ["x"], day) for day in days]
