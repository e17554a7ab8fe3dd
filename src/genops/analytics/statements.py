"""Statements: a named query's text, filled in for a dialect, with everything a user gave as bound values.

The texts are in `queries/`: one for both engines, or a second one, `<name>.clickhouse.sql`. A text has fragments in
double braces; each is made here, from allow-listed names only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from genops.analytics.dialects import BUCKETS, Dialect
from genops.analytics.filters import COLUMNS, TIME_COLUMNS, Filters
from genops.analytics.rows import CALLS, EVALUATIONS
from genops.core.attribution import ATTRIBUTION_FIELDS

__all__ = ["LIST_COLUMNS", "OTHER", "Statement", "render", "text_of"]

OTHER = "(other)"  # the value of what is not among the top
LIST_COLUMNS = (
    *("call_id", "started_at", "duration_ms", "time_to_first_chunk_ms", "outcome", "error_type", "provider", "model"),
    *("operation", "streamed", *ATTRIBUTION_FIELDS, "tags", "input_tokens", "output_tokens", "cached_tokens"),
    *("cost", "list_cost", "currency", "cost_status", "cost_source", "policy_result", "policy_name", "budget_name"),
    *("parent_call_id", "trace_id"),
)
_FRAGMENT = re.compile(r"\{\{(\w+)((?: [\w.]+)*)\}\}")


@dataclass(slots=True)
class Statement:
    """SQL with placeholders, and what they stand for."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


@cache
def text_of(name: str, dialect: str) -> str:
    """The text of a query, that of the dialect if it has one of its own."""
    folder = resources.files("genops.analytics") / "queries"
    own = folder / f"{name}.{dialect}.sql"
    return (own if own.is_file() else folder / f"{name}.sql").read_text()


def render(name: str, dialect: Dialect, filters: Filters, parameters: Mapping[str, Any]) -> Statement:
    """The statement of a query. `parameters` are those of `genops.analytics.registry`, checked there."""
    writer = _Writer(dialect, filters, parameters)
    sql = _FRAGMENT.sub(lambda found: writer.fragment(found[1], found[2].split()), text_of(name, dialect.name))
    return Statement(sql, {key: dialect.bound(value) for key, value in writer.values.items()})


class _Writer:
    def __init__(self, dialect: Dialect, filters: Filters, parameters: Mapping[str, Any]) -> None:
        self.dialect, self.filters, self.parameters = dialect, filters, parameters
        self.values: dict[str, Any] = {}

    def fragment(self, kind: str, words: list[str]) -> str:
        made: str = getattr(self, f"_{kind}")(*words)
        return made

    def _bind(self, name: str, value: Any) -> str:
        self.values[name] = value
        return self.dialect.parameter(name, value)

    # -- tables and columns --------------------------------------------------------------------------------------------

    def _calls(self) -> str:
        return f"calls AS c{self.dialect.latest}"

    def _evaluations(self) -> str:
        return f"evaluations AS e{self.dialect.latest}"

    def _column(self, column: str, alias: str = "c") -> str:
        """The expression of an allow-listed column; a tag's key is bound, like a value."""
        if column.startswith("tag:"):
            key = column.removeprefix("tag:")
            known = next((name for name, value in self.values.items() if name.startswith("tag") and value == key), None)
            return self.dialect.tag(alias, self._bind(known or f"tag{len(self.values)}", key))
        if column in TIME_COLUMNS:
            return self.dialect.bucket(column, f"{alias}.started_at", None)
        assert column in COLUMNS  # checked by the registry and by Filters
        return f"{alias}.{column}"

    def _columns(self) -> str:
        """The columns to group by, named c0, c1, ...: their own names may be a user's words."""
        return "".join(f"{self._column(name)} AS c{number}, " for number, name in enumerate(self.parameters["by"]))

    def _group(self, *others: str) -> str:
        keys = [*(f"c{number}" for number in range(len(self.parameters["by"]))), *others]
        return f"GROUP BY {', '.join(keys)}" if keys else ""

    def _order(self) -> str:
        return "".join(f", c{number} NULLS LAST" for number in range(len(self.parameters["by"])))

    def _value(self) -> str:
        column = self.parameters.get("by") or self.parameters.get("column")
        return self._column(column) if column else self.dialect.text("NULL")

    def _list_columns(self) -> str:
        return ", ".join(f"c.{name} AS {name}" for name in LIST_COLUMNS)

    def _all_columns(self) -> str:
        return ", ".join(f"c.{name} AS {name}" for name in CALLS if name != "seq")

    def _attribution(self) -> str:
        parts = []
        for name in ATTRIBUTION_FIELDS:
            parts.append(f"count(c.{name}) AS {name}_stated, ")
            parts.append(f"coalesce(sum(c.cost) FILTER (WHERE c.{name} IS NULL), 0) AS {name}_cost, ")
        return "\n    ".join(parts)

    # -- conditions ----------------------------------------------------------------------------------------------------

    def _where(self) -> str:
        return self._conditions("c", "started_at", self.filters.by_column())

    def _where_evaluations(self) -> str:
        """Evaluations have no model or outcome: such conditions are about the call or trace that was judged."""
        asked = self.filters.by_column()
        own = {name: asked[name] for name in asked if name in EVALUATIONS or name.startswith("tag:")}
        found = self._conditions("e", "evaluated_at", own)
        others = {name: asked[name] for name in asked if name not in own}
        if others:
            judged = self._values_of(others, "c")
            found += (
                f" AND (e.call_id IN (SELECT c.call_id FROM {self._calls()} WHERE {judged})"
                f" OR coalesce(e.trace_id, '') IN (SELECT c.trace_id FROM {self._calls()}"
                f" WHERE c.trace_id IS NOT NULL AND {judged}))"
            )
        return found

    def _conditions(self, alias: str, moment: str, asked: Mapping[str, list[str | None]]) -> str:
        found = []
        if self.filters.since is not None:
            found.append(f"{alias}.{moment} >= {self._bind('since', self.filters.since)}")
        if self.filters.until is not None:
            found.append(f"{alias}.{moment} < {self._bind('until', self.filters.until)}")
        if asked:
            found.append(self._values_of(asked, alias))
        return " AND ".join(found) or "true"

    def _values_of(self, asked: Mapping[str, list[str | None]], alias: str) -> str:
        found = []
        for name, values in asked.items():
            column = self._column(name, alias)
            stated = [value for value in values if value is not None]
            bound = ", ".join(self._bind(f"w_{self._number(name)}_{at}", value) for at, value in enumerate(stated))
            either = [f"{column} IN ({bound})"] if stated else []
            either += [f"{column} IS NULL"] if None in values else []
            found.append(f"({' OR '.join(either)})")
        return " AND ".join(found)

    def _number(self, column: str) -> int:
        return list(self.filters.by_column()).index(column)

    def _before(self) -> str:
        before = self.parameters.get("before")
        if before is None:
            return "true"
        value, call_id = self._bind("before_value", before[0]), self._bind("before_id", before[1])
        return f"({self._rank()} < {value} OR ({self._rank()} = {value} AND c.call_id < {call_id}))"

    def _after(self) -> str:
        after = self.parameters.get("after")
        if after is None:
            return "true"
        value, call_id = self._bind("after_value", after[0]), self._bind("after_id", after[1])
        return f"(c.started_at >= {value} AND (c.started_at > {value} OR c.call_id > {call_id}))"

    def _rank(self) -> str:
        return "c.started_at" if self.parameters["order"] == "started_at" else "coalesce(c.cost, -1)"

    def _named(self) -> str:
        name = self.parameters.get("name")
        return "true" if name is None else f"e.name = {self._bind('name', name)}"

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _parameter(self, name: str) -> str:
        return self._bind(name, self.parameters[name])

    def _limit(self) -> str:
        limit = self.parameters.get("limit")
        return "" if limit is None else f"LIMIT {self._bind('limit', limit)}"

    def _top(self) -> str:
        top = self.parameters.get("top")
        return "" if top is None else f"LIMIT {self._bind('top', top)}"

    def _other(self) -> str:
        return self._bind("other", OTHER)

    def _bucket(self, moment: str = "c.started_at") -> str:
        bucket, zone = self.parameters.get("bucket", "day"), self.parameters.get("zone", "UTC")
        assert bucket in BUCKETS  # checked by the registry
        utc = zone == "UTC" or bucket in ("hour", "minute")
        return self.dialect.bucket(bucket, moment, None if utc else self._bind("zone", zone))

    def _micros(self, moment: str) -> str:
        return self.dialect.micros(moment)

    def _compared(self, text: str) -> str:
        return self.dialect.compared(text)

    def _request(self) -> str:
        return self.dialect.request("c")

    def _quantile(self, level: str, column: str) -> str:
        return self.dialect.quantile(level, f"c.{column}")
