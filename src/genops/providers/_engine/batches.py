"""Batches: booked when their results are read, one ledger entry per answered request.

An entry's call id is derived from the provider and the id of the answer, so reading the same results again, here or in
another process, books nothing twice in a ledger that keeps call ids apart.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from genops.core._guarding import never_raises
from genops.core.batch import book_item
from genops.core.frame import Frame
from genops.core.ledger import Outcome
from genops.providers._engine.reading import read
from genops.providers._engine.streams import outcome_of, unhook

__all__ = ["BatchSink"]

_MARKS = (b'{"id": "batch_req_', b'{"id":"batch_req_')  # how every line of OpenAI's result files begins
_API_OF = {"chat.completion": "chat_completions", "response": "responses", "list": "embeddings"}


class BatchSink:
    """Books the items of one batch as they are read; a `StreamSink`, and a reader of result files."""

    hides = False

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._rest = b""
        self._is_results: bool | None = None  # not known before the first line

    @never_raises
    def feed(self, chunk: Any) -> bool:
        """Book an item of Anthropic's message batches."""
        message = getattr(getattr(chunk, "result", None), "message", None)
        if message is not None:  # else errored, cancelled or expired: not billed
            self._book(message, str(getattr(chunk, "custom_id", "")))
        return False

    @never_raises
    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        self._frame.settle_batch(outcome, type(error).__qualname__ if error is not None else None)

    # -- result files --------------------------------------------------------------------------------------------------

    def read(self, content: Any) -> Any:
        """Book a file that was downloaded, or have it booked while it is; a file of another kind is not ours."""
        text = getattr(content, "text", None)
        response = getattr(content, "http_response", None)
        if isinstance(text, str):
            self._see(text.encode())
            self._finish(Outcome.COMPLETED)
        elif response is not None:
            _watch_bytes(response, self)
        else:
            self.end(Outcome.COMPLETED)
        return content

    @never_raises
    def _see(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if self._is_results is None and (lines or len(self._rest) >= len(_MARKS[0])):
            self._is_results = (lines[0] if lines else self._rest).startswith(_MARKS)
        for line in lines if self._is_results else ():
            self._book_line(line)
        if self._is_results is False:
            self._rest = b""

    def _finish(self, outcome: Outcome, error: BaseException | None = None) -> None:
        if self._is_results and outcome is Outcome.COMPLETED:
            self._book_line(self._rest)
        self.end(outcome, error)

    @never_raises
    def _book_line(self, line: bytes) -> None:
        if not line.strip():
            return
        item = json.loads(line)
        answer = (item.get("response") or {}).get("body")
        if answer is not None:
            self._book(answer, str(item["id"]))

    def _book(self, answer: Any, item_id: str) -> None:
        facts = self._frame.facts
        kind = answer.get("object") if isinstance(answer, dict) else None
        api = _API_OF.get(str(kind), facts.api)
        reading = read(facts.provider, api, answer, {}, {"processing": "batch"})
        if reading.usage is not None:
            book_item(self._frame, reading, item_id)


def _watch_bytes(response: Any, sink: BatchSink) -> None:
    """Have a sink see the body of an HTTP response that has yet to be read, whichever way it is read."""
    plain, later = getattr(response, "iter_bytes", None), getattr(response, "aiter_bytes", None)

    def watched(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        assert plain is not None  # the response has one, or nobody calls this
        unhook(response, "iter_bytes", "aiter_bytes")
        try:
            for piece in plain(*args, **kwargs):
                sink._see(piece)
                yield piece
        except GeneratorExit:
            sink._finish(Outcome.CLOSED_EARLY)
            raise
        except BaseException as error:
            sink._finish(outcome_of(error), error)
            raise
        sink._finish(Outcome.COMPLETED)

    async def awatched(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        assert later is not None
        unhook(response, "iter_bytes", "aiter_bytes")
        try:
            async for piece in later(*args, **kwargs):
                sink._see(piece)
                yield piece
        except GeneratorExit:
            sink._finish(Outcome.CLOSED_EARLY)
            raise
        except BaseException as error:
            sink._finish(outcome_of(error), error)
            raise
        sink._finish(Outcome.COMPLETED)

    response.iter_bytes, response.aiter_bytes = watched, awatched
