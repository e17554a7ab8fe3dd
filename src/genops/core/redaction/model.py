"""The values of redaction: actions, rules, finds and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["SPECIFIC", "Action", "Find", "Kind", "Redacted", "Rule"]

SPECIFIC = 3  # the rank of a rule that recognises a form of its own, such as a vendor's prefix


class Kind(StrEnum):
    """Whose harm it is when a find gets out."""

    PERSONAL = "personal"
    SECRET = "secret"


class Action(StrEnum):
    """What happens to a find."""

    ALLOW = "allow"
    LABEL = "label"
    MASK = "mask"
    HASH = "hash"
    TOKEN = "token"
    DROP = "drop"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for.

    `pattern` is RE2; `group` is the part of the match that is the find. `near` and `unless` are words before the find
    that it needs, or that forbid it. Of two finds at one place the higher `rank` names it, then the longer one.
    `spans_words` says that a find may hold two plain words with a space between them, so that a stream of text is held
    back until it ends.
    """

    id: str
    entity: str
    pattern: str
    kind: Kind = Kind.PERSONAL
    group: int = 0
    boundary: str | None = None
    validate: str | None = None
    minimum: float = 0.0
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    rank: int = SPECIFIC
    spans_words: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """Something found: `text[start:end]`, in characters. The value itself is not kept."""

    start: int
    end: int
    entity: str
    rule: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text or value after redaction, how many finds there were by entity, and whether one of them blocks."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)
    blocked: bool = False
