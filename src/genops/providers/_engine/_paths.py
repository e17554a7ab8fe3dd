"""Paths: `a.b|c[type=x].d` compiled to a function of a vendor object, a dictionary or plain JSON.

Source: spec/usage/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["Getter", "compile_path", "every", "fields_of", "get"]

Getter = Callable[[Any, Any, Mapping[str, Any]], Any]  # usage object, response, request
_SEGMENT = re.compile(r"([\w-]+)(?:\[(?:(\w+)(?:=([^\]]*))?)?\])?$")
_NOTHING: Mapping[str, Any] = {}
_NANOSECONDS = Decimal(1_000_000_000)


def get(value: Any, name: str) -> Any:
    """Read a key or an attribute; None if it is not there.

    A vendor's pydantic object is read through its own dictionaries: asking it for what it does not have costs 3 us.
    """
    if isinstance(value, dict):
        return value.get(name)
    fields = getattr(value, "__dict__", _NOTHING)
    if name in fields:
        return fields[name]
    extra = getattr(value, "__pydantic_extra__", _NOTHING)
    if extra is not _NOTHING:
        return extra.get(name) if extra else None
    return getattr(value, name, None)


def fields_of(value: Any) -> Any:
    """A vendor's pydantic object as a dictionary, unknown fields included; anything else as it is."""
    if type(value) is dict:
        return value
    extra = getattr(value, "__pydantic_extra__", _NOTHING)
    if extra is _NOTHING:
        return value
    return {**value.__dict__, **extra} if extra else value.__dict__


def every(value: Any, names: Sequence[str]) -> Sequence[Any]:
    """Everything at the end of a chain of names; lists on the way are gone through.

    This runs for every chunk of a stream, so it makes no list where there is none.
    """
    for place, name in enumerate(names):
        if value is None:
            return ()
        if isinstance(value, list | tuple):
            return _of_each(value, names[place:])
        value = get(value, name)
    if isinstance(value, list | tuple):
        return _of_each(value, ())
    return () if value is None else (value,)


def _of_each(items: Sequence[Any], names: Sequence[str]) -> Sequence[Any]:
    if len(items) == 1:
        return every(items[0], names)
    return [found for item in items for found in every(item, names)]


def compile_path(path: str) -> Getter:
    """Compile one path. The function returns None where nothing is stated."""
    options = [_compile_one(option) for option in path.split("|")]
    if len(options) == 1:
        return options[0]

    def first(usage: Any, response: Any, request: Mapping[str, Any]) -> Any:
        for option in options:
            value = option(usage, response, request)
            if value is not None:
                return value
        return None

    return first


def _compile_one(path: str) -> Getter:
    if path.startswith("?#"):
        name = path[2:]
        return lambda usage, response, request: _length(request.get(name))
    if path.startswith("~"):
        duration = _walk(path[1:])
        return lambda usage, response, request: _seconds(duration(usage))
    count = path.startswith("#")
    path = path.removeprefix("#")
    if path.startswith("?"):
        read = _walk(path[1:])
        return lambda usage, response, request: read(request)
    if path.startswith("/"):
        read = _count(path[1:]) if count else _walk(path[1:])
        return lambda usage, response, request: read(response)
    if not count and re.fullmatch(r"[\w-]+", path):
        return lambda usage, response, request: usage.get(path) if type(usage) is dict else get(usage, path)
    read = _count(path) if count else _walk(path)
    return lambda usage, response, request: read(usage)


def _walk(path: str) -> Callable[[Any], Any]:
    if re.fullmatch(r"[\w-]+", path):
        return lambda value: get(value, path)
    head, _, rest = path.partition(".")
    matched = _SEGMENT.match(head)
    if matched is None:
        raise ValueError(f"not a path: {path!r}")
    name, key, wanted = matched.groups()
    after = _walk(rest) if rest else None
    if "[" not in head:
        assert after is not None  # a plain single name was handled above

        def step(value: Any) -> Any:
            inner = value.get(name) if type(value) is dict else get(value, name)
            return None if inner is None else after(inner)

        return step

    def add(value: Any) -> Any:
        items = get(value, name)
        if not isinstance(items, list | tuple):
            return None
        amounts = [after(item) if after else item for item in items if _fits(item, key, wanted)]
        stated = [amount for amount in amounts if amount is not None]
        return sum(stated) if stated else None

    return add


def _count(path: str) -> Callable[[Any], int | None]:
    matched = _SEGMENT.match(path)
    if matched is None:
        raise ValueError(f"not a path to count: {path!r}")
    name, key, wanted = matched.groups()

    def count(value: Any) -> int | None:
        items = get(value, name)
        if not isinstance(items, list | tuple):
            return None
        return sum(1 for item in items if _fits(item, key, wanted)) or None

    return count


def _fits(item: Any, key: str | None, wanted: str | None) -> bool:
    if key is None:
        return True
    value = get(item, key)
    return value is not None if wanted is None else str(getattr(value, "value", value)) == wanted


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str) else None


def _seconds(nanoseconds: Any) -> Decimal | None:
    return Decimal(nanoseconds) / _NANOSECONDS if isinstance(nanoseconds, int) else None
