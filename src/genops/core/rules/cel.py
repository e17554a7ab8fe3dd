"""CEL: conditions compiled against the declared inputs, by Google's implementation of the language.

Source: the Common Expression Language specification (github.com/cel-expr/cel-spec).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.rules.inputs import HAS, INPUTS, Kind

__all__ = ["CelError", "Condition", "compile_condition", "identifiers", "kind_of", "together", "write_out"]

LONGEST = 10_000  # characters of a condition with its variables written out
# Strings (raw, triple-quoted, bytes), names with what is before them, anything else.
_TOKEN = re.compile(
    r"""(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"""|(?P<comment>//[^\n]*)|(?P<name>(?<![\w.])[A-Za-z_]\w*)|(?P<member>\.\s*[A-Za-z_]\w*)|(?P<other>.)""",
    re.DOTALL,
)
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")


class CelError(Exception):
    """A condition failed while it was evaluated."""


@cache
def _environment() -> Any:
    """The language with our inputs declared. Raises `NotInstalled`."""
    try:
        cel = importlib.import_module("cel_expr_python.cel")
    except ImportError:
        raise NotInstalled(
            "policy files need the CEL engine, which is not installed.", fix="pip install 'genops-ai[policy]'"
        ) from None
    kinds = {
        Kind.STRING: cel.Type.STRING,
        Kind.BOOL: cel.Type.BOOL,
        Kind.INT: cel.Type.INT,
        Kind.DOUBLE: cel.Type.DOUBLE,
        Kind.TIMESTAMP: cel.Type.TIMESTAMP,
        Kind.STRINGS: cel.Type.List(cel.Type.STRING),
        Kind.TEXTS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
        Kind.FLAGS: cel.Type.Map(cel.Type.STRING, cel.Type.BOOL),
    }
    declared = {name: kinds[given.kind] for name, given in INPUTS.items()}
    declared |= {f"{HAS}{name}": cel.Type.BOOL for name, given in INPUTS.items() if given.optional}
    return cel.NewEnv(variables=declared)


class Condition:
    """A compiled condition. `reads` are the inputs it is about, `asks` those whose presence it tests."""

    __slots__ = ("_expression", "asks", "reads", "text")

    def __init__(self, text: str, expression: Any) -> None:
        self.text = text
        self._expression = expression
        names = identifiers(text)
        self.reads = frozenset(name for name in names if name in INPUTS)
        self.asks = frozenset(name.removeprefix(HAS) for name in names if name.startswith(HAS))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the condition is true of `values`, which bind what it reads. Raises `CelError`."""
        found = self._evaluate(values)
        if not isinstance(found, bool):  # an error, as text
            raise CelError(_first_line(str(found)))
        return found

    def each(self, values: Mapping[str, Any]) -> list[bool] | None:
        """What each of conditions that were put `together` comes to; None if one of them cannot be decided."""
        found = self._evaluate(values)
        return found if isinstance(found, list) else None

    def _evaluate(self, values: Mapping[str, Any]) -> Any:
        try:
            return self._expression.eval(data=values).plain_value()
        except (RuntimeError, TypeError, ValueError) as error:
            raise CelError(_first_line(str(error))) from error


def compile_condition(text: str, place: str) -> Condition:
    """Compile `text`, which must come to true or false. Raises `ConfigurationError` with `place` and a suggestion."""
    expression = _compiled(text, place)
    if expression.return_type().name() != "BOOL":
        raise ConfigurationError(
            f"{place}: the condition comes to {_kind_name(expression)}, expected true or false.",
            fix="write a comparison, for example model == 'gpt-4o'",
        )
    return Condition(text, expression)


def kind_of(text: str, place: str) -> str:
    """Check any expression and return the type that it comes to. Raises `ConfigurationError`."""
    return _kind_name(_compiled(text, place))


def _compiled(text: str, place: str) -> Any:
    if len(text) > LONGEST:
        raise ConfigurationError(
            f"{place}: the condition is longer than {LONGEST} characters with its variables written out.",
            fix="split the rule in two",
        )
    try:
        return _environment().compile(text)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _explained(str(error), place) from error


def together(conditions: Sequence[Condition]) -> Condition:
    """One expression for many conditions: a list of what each comes to, at the price of one crossing into C++."""
    text = "[" + ", ".join(f"({each.text})" for each in conditions) + "]"
    return Condition(text, _environment().compile(text))


def _kind_name(expression: Any) -> str:
    return str(expression.return_type().name()).lower()


def _explained(error: str, place: str) -> ConfigurationError:
    found = _PLACE.search(error)
    what = found[3] if found is not None else _first_line(error)
    where = f"{place}, column {found[2]}" if found is not None and found[1] == "1" else place
    unknown = _UNDECLARED.search(what)
    if unknown is not None:
        name = unknown[1]
        return ConfigurationError(
            f"{where}: {name!r} is no input of a rule.{did_you_mean(name, _names())}", fix=f"use {', '.join(INPUTS)}"
        )
    if "no matching overload" in what and "double" in what and "int" in what:
        return ConfigurationError(f"{where}: {what}", fix="CEL keeps whole numbers apart: write 1.0 instead of 1")
    return ConfigurationError(f"{where}: {what}", fix="correct the condition; inputs and types: genops policy inputs")


def _names() -> Iterator[str]:
    yield from INPUTS
    yield from (f"{HAS}{name}" for name, given in INPUTS.items() if given.optional)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def identifiers(text: str) -> frozenset[str]:
    """The names in an expression, members (`.size`) and the contents of strings aside."""
    return frozenset(found["name"] for found in _TOKEN.finditer(text) if found["name"] is not None)


def write_out(text: str, variables: Mapping[str, str], place: str) -> str:
    """Return `text` with each name among `variables` replaced by its expression, in brackets."""
    hidden = {found[1] for found in _MACRO.finditer(text)} & variables.keys()
    if hidden:
        name = sorted(hidden)[0]
        raise ConfigurationError(
            f"{place}: {name!r} is a variable of the file and the name of an element, which hides it.",
            fix="call the element something else",
        )
    return "".join(_pieces(text, variables))


def _pieces(text: str, variables: Mapping[str, str]) -> Iterable[str]:
    for found in _TOKEN.finditer(text):
        name = found["name"]
        yield f"({variables[name]})" if name in variables else found[0]
