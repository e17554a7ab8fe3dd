"""Restoring: what redaction put a token for in the request is put back in the answer, whole or streamed.

Vendor objects are changed in place, through their own dictionaries, so that their types stay what they are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator
from typing import Any, Protocol

from genops.core._guarding import never_raises

__all__ = ["StreamRestorer", "TextRestorer", "Vault", "restore_in_place"]

_DEPTH = 24
_TEXTS = frozenset(
    {"content", "text", "delta", "arguments", "partial_json", "thinking", "refusal", "reasoning_content"}
)
Place = tuple[Any, ...]


class TextRestorer(Protocol):
    """Restores one text that comes in pieces; what may be the beginning of a token is held back."""

    def feed(self, chunk: str) -> str: ...

    def finish(self) -> str: ...


class Vault(Protocol):
    """Knows what each token stands for."""

    def restore(self, text: str) -> str: ...

    def stream(self) -> TextRestorer: ...


@never_raises
def restore_in_place(answer: Any, vault: Vault) -> None:
    """Put back every token in an answer: a vendor object, or plain JSON."""
    for _, holder, key, text in _leaves(answer, ()):
        restored = _restored(text, vault.restore)
        if restored is not text:
            holder[key] = restored


def _restored(text: str, restore: Callable[[str], str]) -> str:
    """The text with tokens put back; inside JSON in a text, as JSON escapes them."""
    restored = restore(text)
    if restored == text:
        return text
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(_in_json(json.loads(text), restore), ensure_ascii=False)
        except ValueError:
            pass
    return restored


def _in_json(value: Any, restore: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, list):
        return [_in_json(each, restore) for each in value]
    return {key: _in_json(each, restore) for key, each in value.items()} if isinstance(value, dict) else value


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any, Any, str]]:
    """Every text in a value: where it is, and what holds it under which key."""
    if len(place) > _DEPTH:
        return
    for key, each, holder in _members(value):
        if isinstance(each, str):
            yield (*place, key), holder, key, each
        elif isinstance(each, list):
            yield from _listed(each, (*place, key))
        elif each is not None:
            yield from _leaves(each, (*place, key))


def _listed(items: list[Any], place: Place) -> Iterator[tuple[Place, Any, Any, str]]:
    """The texts in a list, whose objects go by their `index` where they have one."""
    for number, item in enumerate(items):
        if isinstance(item, str):
            yield (*place, number), items, number, item
        else:
            index = _attribute(item, "index")
            yield from _leaves(item, (*place, number if index is None else index))


def _members(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    if isinstance(value, dict):
        yield from ((key, each, value) for key, each in list(value.items()))
        return
    for holder in (getattr(value, "__dict__", None), getattr(value, "__pydantic_extra__", None)):
        if isinstance(holder, dict):
            yield from ((key, each, holder) for key, each in list(holder.items()))


class StreamRestorer:
    """Restores the chunks of one stream.

    A token may be split over chunks; its beginning is held back until the rest is there. If the stream goes on to
    something else, what is held comes out in a chunk of its own, a copy of the last one with that text.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._held: dict[Place, TextRestorer] = {}
        self._last: dict[Place, Any] = {}

    def over(self, chunks: Iterable[Any]) -> Generator[Any, None, None]:
        """The chunks of a stream, restored."""
        for chunk in chunks:
            yield from self._feed(chunk) or (chunk,)
        yield from self._rest() or ()

    async def aover(self, chunks: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
        """The chunks of an asynchronous stream, restored."""
        async for chunk in chunks:
            for each in self._feed(chunk) or (chunk,):
                yield each
        for each in self._rest() or ():
            yield each

    @never_raises
    def _feed(self, chunk: Any) -> list[Any]:
        apart = tuple(_attribute(chunk, name) for name in ("index", "output_index", "content_index", "item_id"))
        seen = set()
        for path, holder, key, text in list(_leaves(chunk, ())):
            if not _is_piece(path, chunk):
                holder[key] = _restored(text, self._vault.restore)
                continue
            place = (*apart, *path)
            seen.add(place)
            if place not in self._held:
                self._held[place] = self._vault.stream()
            holder[key] = self._held[place].feed(text)
            self._last[place] = (chunk, path)
        return [*self._flush(self._held.keys() - seen), chunk]

    @never_raises
    def _rest(self) -> list[Any]:
        return self._flush(self._held.keys())

    def _flush(self, places: Iterable[Place]) -> list[Any]:
        """What is held back for places that the stream has left."""
        chunks = []
        for place in list(places):
            text = self._held.pop(place).finish()
            chunk, path = self._last.pop(place)
            if text:
                again = copy.deepcopy(chunk)
                for found, holder, key, _ in _leaves(again, ()):
                    holder[key] = text if found == path else ("" if _is_piece(found, again) else holder[key])
                chunks.append(again)
        return chunks


def _attribute(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _is_piece(path: Place, chunk: Any) -> bool:
    """Whether the text at a path is one piece of a longer one, and not a whole by itself."""
    if path[-1] not in _TEXTS:
        return False
    if "delta" in path:
        return path != ("delta",) or str(_attribute(chunk, "type")).endswith(".delta")
    return len(path) == 3 and (path[0], path[2]) == ("choices", "text")  # of completions
