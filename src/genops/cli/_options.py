"""Options that several commands take: periods and conditions."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genops.core.errors import ConfigurationError

__all__ = ["columns_of", "condition", "moment", "since_until", "writing"]

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
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{option} {text!r} is no time.", fix=f"{option} 7d, or {option} 2026-11-01") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def since_until(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The interval that --since and --until give. Raises `ConfigurationError` for one that ends before it begins."""
    begins, ends = moment("--since", since), moment("--until", until)
    if begins is not None and ends is not None and begins >= ends:
        raise ConfigurationError(
            f"--since {since} is not before --until {until}, so nothing is between them.",
            fix=f"--since {until} --until {since}" if begins > ends else "leave --until out: it is not included",
        )
    return begins, ends


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """What the system says of a file that is written here goes on as a `ConfigurationError`."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"{file} cannot be written: {reason}.", fix="name another file") from None
