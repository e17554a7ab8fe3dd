"""Find what the rules describe: one pass of an RE2 set, then only the patterns that the set says match."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.redaction.boundaries import BOUNDARIES
from genops.core.redaction.model import Find, Rule
from genops.core.redaction.validators import VALIDATORS

__all__ = ["Candidate", "Scanner", "resolve"]

_NEAR = 48  # characters before a find in which an announcing word counts
_RETRY = 128  # a refused match up to this long is searched again from its second character, a longer one is passed over
_LONG = 20_000  # from here on, a text without any announcing word is told before its numbers are looked at
_MEMORY = 256 << 20  # the most that RE2 may use for the set's states; it takes a few MB


@dataclass(frozen=True, slots=True)
class Candidate:
    """A find with what decides between overlapping ones."""

    start: int
    end: int
    rule: Rule

    @property
    def weight(self) -> tuple[int, int]:
        return self.rule.rank, self.end - self.start


class Scanner:
    """Compiled rules; safe to share between threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        re2 = _re2()
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._rules = [_Compiled(rule, re2) for rule in rules]
        for rule in rules:
            self._set.Add(_wider(rule.pattern))
        if rules:
            self._set.Compile()

    def candidates(self, text: str) -> list[Candidate]:
        """Everything that a rule accepts, overlaps included.

        Where line ends are written out (`\\n`), as in JSON or a log, the text is read without them, too: the n is no
        letter before what follows.
        """
        if not text or not self._rules:
            return []
        found = self._candidates(text)
        if _WRITTEN_END.search(text):
            found += self._candidates(_WRITTEN_END.sub("  ", text))
        return found

    def _candidates(self, text: str) -> list[Candidate]:
        data = text.encode("utf-8", "replace")  # a lone surrogate becomes one "?", so that characters keep their places
        matching = self._set.Match(data)
        found: list[Candidate] = []
        for index in sorted(matching or ()):
            found += self._rules[index].find(text, data)
        return found


def resolve(candidates: Sequence[Candidate]) -> list[Find]:
    """Finds that do not overlap, in order.

    Of two that do, the more specific rule names the find, then the longer one. Where both are of one kind the find
    covers both, so that no part of either stays.
    """
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda one: (one.start, -one.end, -one.rule.rank, one.rule.id)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
            continue
        last = kept[-1]
        best = max(last, each, key=lambda one: one.weight)
        if last.rule.kind is each.rule.kind:
            kept[-1] = Candidate(last.start, max(last.end, each.end), best.rule)
        else:
            kept[-1] = best
    return [Find(one.start, one.end, one.rule.entity, one.rule.id) for one in kept]


class _Compiled:
    """One rule, ready to run."""

    def __init__(self, rule: Rule, re2: Any) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            self._pattern = re2.compile(rule.pattern.encode(), options)
        except re2.error as error:
            raise ConfigurationError(
                f"the pattern of the redaction rule {rule.id!r} is not RE2: {_plain(error)}.",
                fix="write it without look-around and back-references, see https://github.com/google/re2/wiki/Syntax",
            ) from None
        if rule.group > self._pattern.groups:
            raise ConfigurationError(
                f"the redaction rule {rule.id!r} has no group {rule.group}.", fix="put the find in parentheses"
            )
        self._rule = rule
        self._validate = VALIDATORS[rule.validate] if rule.validate else None
        self._boundary = BOUNDARIES[rule.boundary] if rule.boundary else None
        self._near = _words(rule.near, "s?(?![^\\W\\d_])") if rule.near else None
        self._unless = _words(rule.unless, "\\W{0,3}$") if rule.unless else None

    def find(self, text: str, data: bytes) -> Iterator[Candidate]:
        if self._near is not None and len(text) > _LONG and self._near.search(text) is None:
            return
        place = _Places(text, data)
        position, size = 0, len(data)
        while position < size:
            match = self._pattern.search(data, position)
            if match is None:
                return
            first, last = match.span(self._rule.group)
            start, end = place(first), place(last)
            length = self._accepted(text, start, end) if first >= 0 else 0
            if length:
                yield Candidate(start, start + length, self._rule)
                position = max(last - len(text[start + length : end].encode("utf-8", "replace")), position + 1)
            elif match.end() - match.start() <= _RETRY:
                position = max(first, match.start() + 1)
            else:
                position = match.end()

    def _accepted(self, text: str, start: int, end: int) -> int:
        """How many characters of the match are the find; 0 for none."""
        if end <= start:
            return 0
        length = end - start
        if self._validate is not None:
            length = self._validate(text[start:end], self._rule.minimum)
        if not length or (self._boundary is not None and not self._boundary(text, start, start + length)):
            return 0
        before = text[max(start - _NEAR, 0) : start]
        if self._near is not None and self._near.search(before) is None:
            return 0
        return 0 if self._unless is not None and self._unless.search(before) else length


class _Places:
    """Byte offsets into character offsets, at the cost of the distance from the last one asked for."""

    def __init__(self, text: str, data: bytes) -> None:
        self._data = None if len(text) == len(data) else data
        self._byte = self._char = 0

    def __call__(self, offset: int) -> int:
        if self._data is None or offset < 0:
            return offset
        if offset >= self._byte:
            self._char += len(self._data[self._byte : offset].decode("utf-8", "ignore"))
        else:
            self._char -= len(self._data[offset : self._byte].decode("utf-8", "ignore"))
        self._byte = offset
        return self._char


_WRITTEN_END = re.compile(r"\\[nrt]")
_COUNT = re.compile(r"(?<!\\x)\{(\d+)(?:,(\d*))?\}")


def _wider(pattern: str) -> str:
    """The pattern with its counts loosened: it matches wherever `pattern` does, and needs few states of the set."""
    return _COUNT.sub(
        lambda count: f"{{{min(int(count[1]), 3)},}}" if int(count[2] or count[1]) > 3 else count[0], pattern
    )


def _words(words: Sequence[str], end: str) -> re.Pattern[str]:
    listed = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(f"(?<![^\\W\\d_])(?:{listed}){end}", re.IGNORECASE)


def _re2() -> Any:
    try:
        return importlib.import_module("re2")
    except ImportError:
        raise NotInstalled(
            "redaction needs google-re2, which is not installed.", fix="pip install 'genops-ai[redaction]'"
        ) from None


def _plain(error: BaseException) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
