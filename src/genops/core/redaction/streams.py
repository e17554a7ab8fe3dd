"""Redact text that comes in pieces, with the same outcome as for the whole.

A find never holds a gap between two plain lower-case words. So everything up to such a gap can leave as soon as the
gap is seen, if what follows is searched together with the text just before it, which may announce it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from genops.core.redaction.model import Find

if TYPE_CHECKING:
    from genops.core.redaction.redactor import Redactor

__all__ = ["RedactionStream"]

_GAP = re.compile(r"(?<=[ \n])[a-z]{2,15} (?=[a-z]{2,15} )")
_LONGEST_GAP = 34
_CONTEXT = 512  # characters before a cut that are searched again; the longest look-back of a rule is 440


class RedactionStream:
    """`feed` returns what is ready, `finish` the rest; together they are `Redactor.redact(whole).text`.

    `counts` and `blocked` are those of what has been returned.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._parts: list[str] = []
        self._held = 0
        self._tail = ""  # the end of what waits, to see a gap that two pieces make
        self._context = ""
        self._counts: Counter[str] = Counter()
        self.blocked = False

    @property
    def counts(self) -> Mapping[str, int]:
        """How many finds of each entity there were."""
        return dict(self._counts)

    def feed(self, chunk: str) -> str:
        """Take the next piece and return what can leave, which may be nothing."""
        if not chunk:
            return ""
        self._parts.append(chunk)
        self._held += len(chunk)
        seen = self._tail + chunk
        self._tail = seen[-_LONGEST_GAP:]
        if not self._redactor.streams:
            return ""
        gaps = list(_GAP.finditer(seen))
        if not gaps:
            return ""
        text = "".join(self._parts)
        cut = len(text) - (len(seen) - gaps[-1].end())
        self._parts = [text[cut:]]
        return self._release(text[:cut], text[cut:]) if cut > 0 else ""

    def finish(self) -> str:
        """The rest; the stream is empty after it and can start again."""
        text = "".join(self._parts)
        self._parts, self._tail = [], ""
        made = self._release(text, "")
        self._context = ""
        return made

    def _release(self, text: str, following: str) -> str:
        if not text:
            return ""
        lead = len(self._context)
        whole = self._context + text
        finds = [
            Find(find.start - lead, find.end - lead, find.entity, find.rule)
            for find in self._redactor.find(whole + following)
            if lead <= find.start and find.end <= len(whole)
        ]
        self._context = whole[-_CONTEXT:]
        done = self._redactor.apply(text, finds)
        self._counts.update(done.counts)
        self.blocked = self.blocked or done.blocked
        return done.text
