"""Learning: what calls take as a rule, once enough of them are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from genops.core.learning import Habits

KIND = ("openai", "gpt-4o", "search")


def known(*calls: tuple[int, int, int]) -> Habits:
    habits = Habits()
    for call in calls:
        habits.observe(KIND, *call)
    return habits


def test_first_calls_are_taken_at_the_estimate_and_the_bound() -> None:
    """Seven calls say nothing yet."""
    assert (100, 4096) == known(*[(100, 50, 10)] * 7).expected(KIND, 100, 4096)


def test_steady_calls_are_expected_to_go_on() -> None:
    """Half the tokens of the estimate, answers of about 100."""
    tokens_in, tokens_out = known(*[(100, 50, 100)] * 60).expected(KIND, 1000, 4096)

    assert (500, True) == (tokens_in, 100 <= tokens_out <= 101)


def test_kinds_are_apart() -> None:
    """Another feature has habits of its own."""
    assert (100, 4096) == known(*[(100, 50, 10)] * 60).expected(("openai", "gpt-4o", "chat"), 100, 4096)


@given(
    calls=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30),
    estimate=st.integers(0, 10**6),
    bound=st.integers(0, 10**6),
)
def test_expectation_is_never_negative_nor_above_the_bound(calls, estimate, bound) -> None:
    """Whatever happened before."""
    tokens_in, tokens_out = known(*calls).expected(KIND, estimate, bound)

    assert tokens_in >= 0
    assert 0 <= tokens_out <= bound
