"""Shapes: what the value of a setting may be, and how it is read. The same for a file and for arguments.

The published form of the same list is spec/schema/genops.schema.json; tests/config holds the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from genops.config.files import Document, KeyPath
from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError

__all__ = [
    "Amount",
    "Choice",
    "Count",
    "Flag",
    "Folder",
    "ListOf",
    "MapOf",
    "Names",
    "Raw",
    "Shape",
    "Table",
    "Text",
    "Value",
]

_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, with the document and the place in it where it stands."""

    given: Any
    document: Document
    path: KeyPath = ()

    def child(self, key: str | int) -> Value:
        return Value(self.given[key], self.document, (*self.path, key))

    @property
    def name(self) -> str:
        """The dotted name: policies[0].mode."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).lstrip(".")

    @property
    def place(self) -> str:
        return self.document.place(self.path)

    def error(self, message: str, fix: str) -> ConfigurationError:
        return ConfigurationError(f"{self.place}: {message}", fix=fix)

    def expected(self, what: str, example: str) -> ConfigurationError:
        """The error for a value of the wrong kind."""
        return self.error(f"{self.name} is {_described(self.given)}, expected {what}.", f"{self._last()}: {example}")

    def _last(self) -> str:
        return str(next((part for part in reversed(self.path) if isinstance(part, str)), self.name))


class Shape(Protocol):
    """Turns a given value into the value of a setting, or raises `ConfigurationError` that says where and what."""

    def read(self, value: Value) -> Any: ...


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not blank. A whole number is taken as it is written."""

    example: str

    def read(self, value: Value) -> str:
        given = value.given
        if isinstance(given, int) and not isinstance(given, bool):
            return value.document.texts.get(value.path, str(given))
        if not isinstance(given, str):
            raise value.expected("text", f"'{self.example}'")
        if not given.strip():
            raise value.error(f"{value.name} is empty.", f"{value._last()}: {self.example}, or remove the key")
        return given.strip()


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: Value) -> bool:
        if not isinstance(value.given, bool):
            raise value.expected("true or false", "true")
        return value.given


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number of at least `least`."""

    least: int
    example: int

    def read(self, value: Value) -> int:
        given = value.given
        if isinstance(given, bool) or not isinstance(given, int) or given < self.least:
            raise value.expected(f"a whole number of {self.least} or more", str(self.example))
        return given


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount of money of 0 or more, as a number or quoted."""

    def read(self, value: Value) -> Decimal:
        given = value.given
        written = str(given) if isinstance(given, str | int | Decimal) and not isinstance(given, bool) else ""
        if _AMOUNT.fullmatch(written) is None:
            raise value.expected("an exact amount in USD of 0 or more", '"0.50"')
        return Decimal(written)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: Value) -> str:
        if value.given not in self.words:
            hint = did_you_mean(value.given, self.words) if isinstance(value.given, str) else ""
            raise value.error(
                f"{value.name} is {_described(value.given)}, expected {' or '.join(self.words)}.{hint}",
                f"{value._last()}: {self.words[0]}",
            )
        return str(value.given)


@dataclass(frozen=True, slots=True)
class Folder:
    """A path; ~ is the home directory, and a relative one starts at the working directory."""

    def read(self, value: Value) -> Path:
        if isinstance(value.given, Path):
            return value.given.expanduser()
        if not isinstance(value.given, str) or not value.given.strip():
            raise value.expected("a folder", "~/.genops")
        return Path(value.given.strip()).expanduser()


@dataclass(frozen=True, slots=True)
class Names:
    """A list of words or patterns; one alone needs no brackets where `single` is true."""

    example: str
    single: bool = False
    words: tuple[str, ...] = ()  # the only ones there are, if any
    empty: bool = False  # whether the list may be empty

    def read(self, value: Value) -> tuple[str, ...]:
        given = value.given
        if self.single and isinstance(given, str | int) and not isinstance(given, bool):
            return (Text(self.example).read(value),)
        if not isinstance(given, list | tuple) or not (given or self.empty):
            raise value.expected("a list of names", f"[{self.example}]")
        names = tuple(Text(self.example).read(value.child(place)) for place in range(len(given)))
        for place, name in enumerate(names):
            if self.words and name not in self.words:
                raise value.child(place).error(
                    f"{value.name} has {name!r}.{did_you_mean(name, self.words)}", f"use {', '.join(self.words)}"
                )
        return names


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one shape."""

    item: Shape

    def read(self, value: Value) -> list[Any]:
        if not isinstance(value.given, list | tuple):
            raise value.expected("a list", "[...]")
        return [self.item.read(value.child(place)) for place in range(len(value.given))]


@dataclass(frozen=True, slots=True)
class MapOf:
    """Keys of the user's own, with values of one shape."""

    item: Shape

    def read(self, value: Value) -> dict[str, Any]:
        given = value.given
        if not isinstance(given, Mapping) or not all(isinstance(key, str) and key.strip() for key in given):
            raise value.expected("keys with values", "{key: value}")
        return {key.strip(): self.item.read(value.child(key)) for key in given}


@dataclass(frozen=True, slots=True)
class Raw:
    """A list or a mapping that another module reads: rates are parsed by genops.core.rates."""

    kind: type

    def read(self, value: Value) -> Any:
        if not isinstance(value.given, self.kind):
            what = "a list" if self.kind is list else "keys with values"
            raise value.expected(what, "[...]" if self.kind is list else "{key: value}")
        return value.given


@dataclass(frozen=True, slots=True)
class Table:
    """Known keys, each with its shape; any other key is refused. An empty table may be left blank."""

    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()

    def read(self, value: Value) -> dict[str, Any]:
        if value.given is None and not self.required:
            return {}
        if not isinstance(value.given, Mapping):
            raise value.expected("keys with values", "{" + f"{next(iter(self.keys))}: ..." + "}")
        for key in value.given:
            if key not in self.keys:
                inside = f" in {value.name}" if value.path else ""
                raise Value(None, value.document, (*value.path, key)).error(
                    f"unknown key {key!r}{inside}.{did_you_mean(str(key), self.keys)}", f"use {', '.join(self.keys)}"
                )
        for key in self.required:
            if key not in value.given:
                raise value.error(f"{value.name} has no {key!r}.", f"{key}: ...")
        return {key: self.keys[key].read(value.child(key)) for key in value.given}


def _described(given: Any) -> str:
    if given is None:
        return "empty"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list" if given else "an empty list"
    return repr(str(given)[:60])
