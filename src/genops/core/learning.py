"""Learning what calls come to: budgets with the adaptive estimator reserve what such calls take as a rule.

Kept per provider, model and feature, in memory: how many tokens the provider counts for one of our estimate, and how
long answers are. The first calls of a kind are reserved for by the estimate and the output limit.
"""

from __future__ import annotations

import math

from genops.core.budgets.forks import new_lock

__all__ = ["Habits", "Kind"]

Kind = tuple[str | None, ...]
"""Provider, model and feature."""

_KNOWN_AFTER = 8  # calls
_WEIGHT = 0.1  # of the latest call: about the last 20 count
_SPREADS = 3  # mean absolute deviations above the mean: about 99 % of normally distributed lengths are below
_KINDS_KEPT = 1000


class _Habit:
    __slots__ = ("calls", "output", "ratio", "spread")

    def __init__(self, ratio: float, output: float) -> None:
        self.calls = 0
        self.ratio = ratio
        self.output = output
        self.spread = output / 2


class Habits:
    """What calls took lately."""

    def __init__(self) -> None:
        self._habits: dict[Kind, _Habit] = {}
        self._lock = new_lock()

    def observe(self, kind: Kind, estimated_input: int, input_tokens: int, output_tokens: int) -> None:
        """Take in one call that the provider has counted."""
        ratio = input_tokens / max(1, estimated_input)
        with self._lock:
            habit = self._habits.get(kind)
            if habit is None:
                if len(self._habits) >= _KINDS_KEPT:
                    self._habits.clear()
                habit = self._habits[kind] = _Habit(ratio, float(output_tokens))
            habit.calls += 1
            habit.ratio += _WEIGHT * (ratio - habit.ratio)
            habit.spread += _WEIGHT * (abs(output_tokens - habit.output) - habit.spread)
            habit.output += _WEIGHT * (output_tokens - habit.output)

    def expected(self, kind: Kind, estimated_input: int, output_bound: int) -> tuple[int, int]:
        """The tokens of input and output that such a call takes as a rule; the bound limits the output."""
        with self._lock:
            habit = self._habits.get(kind)
            if habit is None or habit.calls < _KNOWN_AFTER:
                return estimated_input, output_bound
            output = math.ceil(habit.output + _SPREADS * habit.spread)
            return math.ceil(estimated_input * habit.ratio), min(output_bound, output)
