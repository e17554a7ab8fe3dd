"""Options that several commands take: periods and conditions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from genops.core.errors import ConfigurationError

__all__ = ["columns_of", "condition", "moment"]

_AGO = re.compile(r"(\d+)([dhm])$")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def columns_of(text: str) -> tuple[str, ...]:
    """The columns of a list with commas."""
    return tuple(column.strip() for column in text.split(",") if column.strip())


def condition(text: str) -> tuple[str, str]:
    """Column and value of `column=value`. Raises `ConfigurationError` for anything else."""
    column, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"--where {text!r} is no condition.", fix="--where team=search")
    return column.strip(), value.strip()


def moment(option: str, text: str | None) -> datetime | None:
    """A date, a time, or how long ago: 7d, 24h, 30m. Raises `ConfigurationError` for anything else."""
    if text is None:
        return None
    ago = _AGO.match(text)
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{option} {text!r} is no time.", fix=f"{option} 7d, or {option} 2026-11-01") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
