"""What a page is about: a period, filters and a grouping, all of it in the URL.

`?period=7d&team=search&model=gpt-4o&by=customer_id` reads as it looks. A column that is repeated means any of its
values; an empty value means that the column was not stated (no attribute of a call is ever empty).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from genops.analytics import Filters
from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError

__all__ = ["FILTERS", "GROUPS", "PERIODS", "TITLES", "Period", "Selection", "read_selection"]

Where = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time up to now."""

    key: str
    title: str
    length: timedelta | None


PERIODS = {
    each.key: each
    for each in (
        Period("1h", "the last hour", timedelta(hours=1)),
        Period("24h", "the last 24 hours", timedelta(hours=24)),
        Period("7d", "the last 7 days", timedelta(days=7)),
        Period("30d", "the last 30 days", timedelta(days=30)),
        Period("90d", "the last 90 days", timedelta(days=90)),
        Period("all", "all time", None),
    )
}
_DEFAULT = "7d"
TITLES = {
    "team": "Team",
    "project": "Project",
    "environment": "Environment",
    "customer_id": "Customer",
    "cost_center": "Cost center",
    "feature": "Feature",
    "model": "Model",
    "provider": "Provider",
    "operation": "Operation",
    "outcome": "Outcome",
    "error_type": "Error type",
    "cost_status": "Cost status",
    "policy_result": "Decision",
    "policy_name": "Rule",
    "policy_reason_code": "Reason code",
    "budget_name": "Budget",
    "service_tier": "Service tier",
    "region": "Region",
    "session_id": "Session",
    "trace_id": "Trace",
    "currency": "Currency",
}
# Sessions and traces are for filters: one group for each of them says nothing. Currencies are not added up.
GROUPS = tuple(TITLES)[:-3]
FILTERS = tuple(TITLES)
_TAG = "tag:"
_MOST_GROUPS = 3
_BUCKETS = (("minute", timedelta(hours=3)), ("hour", timedelta(days=8)), ("day", timedelta(days=366)))


@dataclass(frozen=True, slots=True)
class Selection:
    """The calls a page is about. `since` and `until` are aware UTC, half-open; None is open."""

    period: str
    now: datetime
    since: datetime | None = None
    until: datetime | None = None
    where: Where = ()
    by: tuple[str, ...] = ()

    @property
    def filters(self) -> Filters:
        """The same for queries."""
        return Filters(since=self.since, until=self.until, where=self.where)

    @property
    def before(self) -> Filters | None:
        """The period of the same length before this one; None for one without a start."""
        if self.since is None:
            return None
        try:
            return Filters(since=self.since - (self.end - self.since), until=self.since, where=self.where)
        except OverflowError:  # before the year 1
            return None

    def start(self, first: datetime | None) -> datetime:
        """Where charts start: with the period, or with the first call if that came later."""
        known = [each for each in (self.since, first) if each is not None]
        return max(known, default=self.end)

    @property
    def end(self) -> datetime:
        """Where charts end."""
        return self.until or self.now

    def bucket(self, first: datetime | None) -> str:
        """How wide the buckets of a chart are, from the first call on: minutes for an hour, days for a quarter."""
        length = self.end - self.start(first)
        return next((bucket for bucket, longest in _BUCKETS if length <= longest), "week")

    @property
    def title(self) -> str:
        """The period in words."""
        if self.period in PERIODS:
            return PERIODS[self.period].title
        since = f"{self.since:%Y-%m-%d %H:%M}" if self.since is not None else "the start"
        return f"{since} to {f'{self.until:%Y-%m-%d %H:%M}' if self.until is not None else 'now'}"

    def only(self, pairs: Iterable[tuple[str, str | None]]) -> Selection:
        """These columns at these values, in place of what they were filtered by."""
        pairs = tuple(pairs)
        names = {name for name, _ in pairs}
        return replace(self, where=(*(each for each in self.where if each[0] not in names), *pairs))

    def without(self, column: str, value: str | None) -> Selection:
        """One filter less."""
        return replace(self, where=tuple(each for each in self.where if each != (column, value)))

    def grouped(self, by: Sequence[str]) -> Selection:
        """Another grouping."""
        return replace(self, by=tuple(by))

    def at(self, period: str) -> Selection:
        """Another period, ending now."""
        return replace(self, period=period, **_span(period, self.now))

    def carried(self) -> str:
        """What goes along to another page: period and filters, not the grouping."""
        return replace(self, by=()).query()

    def query(self, **more: Any) -> str:
        """As the query part of a URL, with its question mark; "" for what needs none."""
        pairs: list[tuple[str, str]] = []
        if self.period in PERIODS:
            pairs += [("period", self.period)] if self.period != _DEFAULT else []
        else:
            for name, moment in (("since", self.since), ("until", self.until)):
                pairs += [(name, f"{moment:%Y-%m-%dT%H:%M:%SZ}")] if moment is not None else []
        pairs += [(column, value or "") for column, value in self.where]
        pairs += [("by", column) for column in self.by]
        pairs += [(name, str(value)) for name, value in more.items() if value is not None]
        return f"?{urlencode(pairs)}" if pairs else ""


def read_selection(
    pairs: Iterable[tuple[str, str]], *, now: datetime, by: tuple[str, ...] = (), known: frozenset[str] = frozenset()
) -> Selection:
    """Read the query part of a URL. `by` is the grouping if it names none, `known` are other keys the page reads.

    Raises `ConfigurationError` for a key, a column or a time that means nothing.
    """
    found: dict[str, list[str]] = {}
    where: list[tuple[str, str | None]] = []
    for name, value in pairs:
        if name in FILTERS or (name.startswith(_TAG) and name != _TAG):
            where.append((name, value or None))
        elif name in ("period", "since", "until", "by") or name in known:
            found.setdefault(name, []).append(value)
        else:
            raise ConfigurationError(
                f"there is no filter {name!r}.{did_you_mean(name, FILTERS)}", fix="/explore?team=search&by=model"
            )
    columns = tuple(dict.fromkeys(each for each in found.get("by", ()) if each))
    for column in columns:
        if column not in GROUPS and not column.startswith(_TAG):
            raise ConfigurationError(
                f"calls cannot be grouped by {column!r}.{did_you_mean(column, GROUPS)}", fix="/explore?by=team"
            )
    selection = Selection(
        period=_DEFAULT, now=now, where=tuple(dict.fromkeys(where)), by=(columns or by)[:_MOST_GROUPS]
    )
    if "since" in found or "until" in found:
        since, until = (_moment(found, name) for name in ("since", "until"))
        if since is not None and since >= (until or now):
            raise ConfigurationError("that period ends before it begins.", fix="?since=2026-11-01&until=2026-11-30")
        return replace(selection, period="custom", since=since, until=until)
    period = found.get("period", [_DEFAULT])[0]
    if period not in PERIODS:
        raise ConfigurationError(
            f"there is no period {period!r}.{did_you_mean(period, PERIODS)}", fix=f"use {', '.join(PERIODS)}"
        )
    return selection.at(period)


def _span(period: str, now: datetime) -> Mapping[str, Any]:
    length = PERIODS[period].length
    return {"since": None if length is None else now - length, "until": None}


def _moment(found: Mapping[str, Sequence[str]], name: str) -> datetime | None:
    """A date, which until includes, or a time; UTC where no offset is stated."""
    text = found.get(name, [""])[0].strip()
    if not text:
        return None
    try:
        if len(text) == len("2026-12-31"):
            day = date.fromisoformat(text) + timedelta(days=name == "until")
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{name} is {text!r}, no date and no time.", fix=f"{name}=2026-11-23") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
