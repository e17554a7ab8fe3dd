"""Questions and rows as JSON: what `genops serve` and those who ask it say to one another.

Amounts are text, so that they stay exact, times are ISO 8601 in UTC; `types` names the columns that are one or the
other: `{"rows": [{"team": "search", "cost": "0.0125"}], "types": {"cost": "decimal"}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from genops.analytics.filters import Filters
from genops.core.ledger import plain

__all__ = ["pack", "question", "read_question", "unpack"]


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text!r} is no amount") from None


_READ: Mapping[str, Callable[[str], Any]] = {"decimal": _amount, "time": datetime.fromisoformat}


def question(filters: Filters, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a question."""
    asked: dict[str, Any] = {"where": [list(each) for each in filters.where]}
    for name in ("since", "until"):
        moment = getattr(filters, name)
        if moment is not None:
            asked[name] = plain(moment)
    return {"filters": asked, "parameters": {name: _plain(value) for name, value in parameters.items()}}


def read_question(asked: Mapping[str, Any]) -> tuple[Filters, dict[str, Any]]:
    """The filters and parameters of a body. Raises `ValueError`, `TypeError` or `KeyError` for what is none."""
    given, parameters = (_mapping(_mapping(asked).get(key) or {}) for key in ("filters", "parameters"))
    unknown = (asked.keys() - {"filters", "parameters"}) | (given.keys() - {"since", "until", "where"})
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
    where = []
    for column, value in given.get("where", ()):
        if not isinstance(column, str) or not isinstance(value, str | None):
            raise TypeError(f"{column!r} = {value!r} is no condition")
        where.append((column, value))
    filters = Filters(_moment(given.get("since")), _moment(given.get("until")), tuple(where))
    return filters, {name: _read_parameter(value) for name, value in parameters.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is no object")
    return value


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    """A parameter as JSON; a key of paging may be a time or an amount, which `_read_parameter` must know again."""
    if isinstance(value, Decimal):
        return {"decimal": plain(value)}
    if isinstance(value, datetime):
        return {"time": plain(value)}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _read_parameter(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return _READ[kind](text)
    return tuple(_read_parameter(each) for each in value) if isinstance(value, list) else value


def pack(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows as JSON-ready values."""
    types: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, Decimal):
                types[name] = "decimal"
            elif isinstance(value, datetime):
                types[name] = "time"
    return {"rows": [{name: plain(value) for name, value in row.items()} for row in rows], "types": types}


def unpack(packed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that were packed."""
    types = {name: _READ[kind] for name, kind in packed["types"].items()}
    return [
        {name: types[name](value) if name in types and value is not None else value for name, value in row.items()}
        for row in packed["rows"]
    ]
