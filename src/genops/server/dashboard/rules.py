"""Policy: what was decided, by which rule, and the text of the rule as it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from genops.config.settings import Settings
from genops.core.errors import ConfigurationError
from genops.server.dashboard.figures import Stack
from genops.server.dashboard.view import View

__all__ = ["Written", "policy", "written_rules"]

_HUES = {"ALLOWED": "s1", "WARNING": "s-warn", "BLOCKED": "s-bad", "RATE_LIMITED": "s5"}
_ORDER = tuple(_HUES)
_KEYS = ("rules", "policies", "budgets", "rate_limits")
_MOST_RULES = 100


@dataclass(frozen=True, slots=True)
class Written:
    """A rule, policy, budget or rate limit as its file has it, with the comments above it. `kind` is its key there."""

    name: str
    kind: str
    place: str  # policies.yaml:3
    text: str


def policy(view: View) -> dict[str, Any]:
    """Decisions over time and by rule; then every rule that is in force."""
    totals = view.sums()
    decisions: Stack | None = None
    if totals["calls"] or totals["blocked"]:
        _, decisions = view.over_time("decisions_over_time", totals["first_at"], "calls", series="result")
        ordered = sorted(decisions.series, key=lambda each: _ORDER.index(each.name) if each.name in _ORDER else 9)
        decisions = Stack(decisions.buckets, tuple(ordered))
    written, trouble = written_rules(view.state.settings)
    by_rule = view.rows("decisions_by_rule", limit=_MOST_RULES) if decisions is not None else []
    acted = {row["policy_name"]: row for row in reversed(by_rule) if row["policy_name"] is not None}
    return {
        "totals": totals,
        "decisions": decisions,
        "hues": [_HUES.get(each.name, "s7") for each in decisions.series] if decisions is not None else [],
        "by_rule": [row for row in by_rule if row["policy_name"] is not None],
        "written": sorted(written, key=lambda each: (each.name not in acted, _KEYS.index(each.kind))),
        "acted": acted,
        "trouble": trouble,
    }


def written_rules(settings: Settings) -> tuple[list[Written], str | None]:
    """The rules of the policy files and of genops.yaml, word for word; and why some could not be read, if so."""
    found: list[Written] = []
    try:
        _, paths = settings.policy.load() if settings.policy.files else (None, ())
    except ConfigurationError as error:
        return [], str(error)
    files = [*paths, *([settings.source] if settings.source is not None else [])]
    for path in files:
        try:
            found += _rules_of(path, settings.policy.base)
        except (OSError, yaml.YAMLError) as error:
            return found, f"{path}: {error}"
    return found, None


def _rules_of(path: Path, base: Path) -> Iterator[Written]:
    text = path.read_text(encoding="utf-8")
    shown = path.relative_to(base) if path.is_relative_to(base) else path
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines()
    for kind, item in _items(root):
        keys = {key.value: value.value for key, value in item.value}
        if isinstance(keys.get("name"), str):
            start, end = item.start_mark.line, _last_line(item, lines)
            yield Written(keys["name"], kind, f"{shown}:{start + 1}", _dedented(lines[_comments(lines, start) : end]))


def _items(root: Any) -> Iterator[tuple[str, yaml.MappingNode]]:
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in root.value:
        if key.value in _KEYS and isinstance(value, yaml.SequenceNode):
            yield from ((key.value, item) for item in value.value if isinstance(item, yaml.MappingNode))


def _last_line(item: yaml.MappingNode, lines: list[str]) -> int:
    """The line after an item, without the empty lines and comments that come before the next thing."""
    end: int = item.end_mark.line + bool(item.flow_style and item.end_mark.column)
    end = max(min(end, len(lines)), item.start_mark.line + 1)
    while end > item.start_mark.line + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _comments(lines: list[str], start: int) -> int:
    """The first of the comment lines right above an item."""
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _dedented(lines: Iterable[str]) -> str:
    kept = list(lines)
    indent = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    return "\n".join(line[indent:] for line in kept)
