"""The SDK of the example, as small as an SDK can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Client:
    """A client whose provider answers every prompt with one word."""

    def __init__(self, base_url: str = "https://api.acme.example") -> None:
        self.base_url = base_url

    def complete(self, *, model: str, messages: list[dict[str, str]], stream: bool = False) -> Any:
        usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
        if stream:
            return self._stream(model, usage)
        return {"id": "1", "model": model, "choices": [{"message": {"content": "Hello."}}], "usage": usage}

    def _stream(self, model: str, usage: dict[str, int]) -> Iterator[dict[str, Any]]:
        yield {"id": "2", "model": model, "choices": [{"delta": {"content": "Hello."}}]}
        yield {"id": "2", "model": model, "choices": [], "usage": usage}
