"""Batches: booked when their results are read, one ledger entry per answered request.

An entry's call id is derived from the provider and the response id, so reading the same results again, here or in
another process, books nothing twice in a ledger that keeps call ids apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from genops.core._guarding import never_raises
from genops.core.batch import book_item
from genops.core.frame import Frame
from genops.core.ledger import Outcome
from genops.providers._engine.reading import read

__all__ = ["BatchSink"]


class BatchSink:
    """Books the items of one batch as they are read; a `StreamSink`, and a reader of whole result files."""

    hides = False

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.feed: Callable[[Any], bool | None] = self._feed

    @never_raises
    def _feed(self, chunk: Any) -> bool:
        self._book(getattr(chunk, "custom_id", None), _answer(chunk))
        return False

    @never_raises
    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        self._frame.settle_batch(outcome, type(error).__qualname__ if error is not None else None)

    @never_raises
    def read(self, content: Any) -> Any:
        """Book a downloaded result file; a file of another kind is none of our business."""
        for line in _result_lines(content):
            self._book(line.get("custom_id"), (line.get("response") or {}).get("body"))
        self.end(Outcome.COMPLETED)
        return content

    def _book(self, custom_id: str | None, answer: Any) -> None:
        if answer is None:
            return  # errored, cancelled or expired: not billed
        facts = self._frame.facts
        reading = read(facts.provider, _api_of(answer, facts.api), answer, {}, {"processing": "batch"})
        if reading.usage is not None:
            book_item(self._frame, reading, custom_id)


def _answer(item: Any) -> Any:
    """The message of a succeeded item of Anthropic's message batches."""
    return getattr(getattr(item, "result", None), "message", None)


def _result_lines(content: Any) -> Iterator[dict[str, Any]]:
    text = getattr(content, "text", None)
    if not isinstance(text, str) or not text.startswith(('{"id": "batch_req_', '{"id":"batch_req_')):
        return
    for line in text.splitlines():
        item = json.loads(line)
        if isinstance(item, dict):
            yield item


def _api_of(answer: Any, default: str) -> str:
    """Result files of OpenAI hold answers of any endpoint; each says what it is."""
    kind = answer.get("object") if isinstance(answer, dict) else None
    return {"chat.completion": "chat_completions", "response": "responses", "list": "embeddings"}.get(
        str(kind), default
    )
