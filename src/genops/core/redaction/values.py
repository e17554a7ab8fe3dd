"""Redact nested values: messages, tool arguments, JSON inside a text."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from genops.core.redaction.model import Find, Redacted

if TYPE_CHECKING:
    from genops.core.redaction.redactor import Redactor

__all__ = ["redact_nested"]

# What these hold is the protocol's, not the user's, as long as they stand in a message and not in a tool's arguments.
_PROTOCOL = frozenset(
    re.findall(
        r"\S+",
        """
    role type id model object index finish_reason stop_reason tool_call_id tool_use_id call_id item_id mime_type
    media_type response_id previous_response_id system_fingerprint service_tier status created logprobs
    encrypted_content
    """,
    )
)
_ARGUMENTS = frozenset(("arguments", "args", "input", "parameters"))
_DATA_URL = re.compile(r"^data:[0-9A-Za-z.+/-]{0,100}(?:;[0-9A-Za-z=-]{1,60}){0,4};base64,")
_DEEPEST = 64


def redact_nested(redactor: Redactor, value: Any) -> tuple[Any, Redacted]:
    """`value` redacted and the counts; what did not change is the same object."""
    walk = _Walk(redactor)
    made = walk.value(value, None, 0, False)
    return made, Redacted("", dict(walk.counts), walk.blocked)


class _Walk:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.counts: Counter[str] = Counter()
        self.blocked = False

    def value(self, value: Any, key: str | None, depth: int, arguments: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, key, depth, arguments)
        if depth >= _DEEPEST:
            return value
        if isinstance(value, dict):
            return self._mapping(value, depth, arguments)
        if isinstance(value, list | tuple):
            made = [self.value(item, key, depth + 1, arguments) for item in value]
            if all(new is old for new, old in zip(made, value, strict=True)):
                return value
            return made if isinstance(value, list) else tuple(made)
        return value

    def _mapping(self, value: dict[Any, Any], depth: int, arguments: bool) -> dict[Any, Any]:
        binary = not arguments and (value.get("type") == "base64" or "media_type" in value or "mime_type" in value)
        made: dict[Any, Any] = {}
        changed = False
        for key, item in value.items():
            kept = not arguments and (key in _PROTOCOL or (binary and key == "data"))
            name = key if isinstance(key, str) else None
            new = (
                item
                if kept and isinstance(item, str)
                else self.value(item, name, depth + 1, arguments or key in _ARGUMENTS)
            )
            changed = changed or new is not item
            made[key] = new
        return made if changed else value

    def _text(self, text: str, key: str | None, depth: int, arguments: bool) -> str:
        if _DATA_URL.match(text):
            return text
        if text[:1] in ("{", "[") and text.rstrip()[-1:] in ("}", "]") and depth < _DEEPEST:
            made = self._json(text, depth)
            if made is not None:
                return made
        # The name of a field announces what is in it, as `"password": "..."` does in a text.
        lead = f'{key}: "' if key is not None and arguments else ""
        whole = f'{lead}{text}"' if lead else text
        finds = [
            Find(find.start - len(lead), min(find.end - len(lead), len(text)), find.entity, find.rule)
            for find in self._redactor.find(whole)
            if find.start >= len(lead)
        ]
        done = self._redactor.apply(text, finds)
        self.counts.update(done.counts)
        self.blocked = self.blocked or done.blocked
        return done.text if finds else text

    def _json(self, text: str, depth: int) -> str | None:
        """The text with what is inside redacted; None if it is not JSON."""
        try:
            inside = json.loads(text)
        except (ValueError, RecursionError):
            return None
        made = self.value(inside, None, depth + 1, True)
        return text if made is inside else json.dumps(made, ensure_ascii=False)
