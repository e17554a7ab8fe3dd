"""Units: whole numbers, rounded up, below 2^53."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core.budgets.units import LARGEST, amount_of, as_counted, is_unit
from genops.core.errors import ConfigurationError


@given(st.decimals(min_value=0, max_value=9_000_000, places=12))
def test_money_is_rounded_up_to_nano_units(amount):
    """Never below the amount, and less than one nano-unit above it."""
    difference = amount_of(as_counted(amount, "USD"), "USD") - amount

    assert 0 <= difference < Decimal("1e-9")


@given(st.integers(0, LARGEST), st.sampled_from(["USD", "tokens", "compute_seconds"]))
def test_amounts_come_back_exactly(counted, unit):
    """No digit is lost on the way."""
    assert counted == as_counted(amount_of(counted, unit), unit)


def test_application_settings_of_decimal_change_nothing():
    """An application that works with three digits does not make our sums wrong."""
    with localcontext() as context:
        context.prec = 3
        assert 1_234_567_890 == as_counted(Decimal("1.23456789"), "USD")
        assert Decimal("1.234567890") == amount_of(1_234_567_890, "USD")


@pytest.mark.parametrize("amount", [Decimal("9007200"), Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity"), 10**20])
def test_amounts_no_counter_holds_are_refused(amount):
    """With what to do instead; 2^53 nano-USD are 9,007,199 USD."""
    with pytest.raises(ConfigurationError) as caught:
        as_counted(amount, "USD")
    assert caught.value.fix


def test_tokens_have_room_for_any_budget():
    """Tokens are counted as they are."""
    assert LARGEST == as_counted(LARGEST, "tokens")


@pytest.mark.parametrize(
    ("unit", "known"), [("USD", True), ("EUR", True), ("usd", False), ("token", False), ("", False)]
)
def test_units(unit, known):
    """Currencies are written in capitals."""
    assert known is is_unit(unit)
