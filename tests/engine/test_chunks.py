"""What is at the end of a path through the chunks of a stream."""

from __future__ import annotations

from typing import Any

import pytest

from genops.providers._engine._paths import every


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", [1]),
        ({"a": [{"b": 1}, {}, {"b": None}, {"b": 2}]}, "a.b", [1, 2]),
        ({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 3}]}]}, "a.b.c", [1, 2, 3]),
        ({"a": [{"b": [1, [2, 3]]}]}, "a.b", [1, 2, 3]),
        ([{"a": 1}], "a", [1]),
        ({"a": 0}, "a", [0]),
        ({"a": []}, "a.b", []),
        ({}, "a.b", []),
        (None, "a", []),
    ],
)
def test_lists_on_the_way_are_gone_through(value: Any, path: str, found: list[Any]) -> None:
    """What is at the end of a path, in the order in which it stands there."""
    assert found == list(every(value, path.split(".")))
