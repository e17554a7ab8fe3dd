"""The response bytes that the fake provider serves: a chat, a stream of 100 events, an embedding.

Modelled field by field on the wire format of chat completions and embeddings; no capture of live traffic. Deterministic,
except that `fresh` gives every response an id of its own, as a provider does.
"""

import base64
import itertools
import json
import struct

__all__ = [
    "EMBED_INPUT",
    "EMBED_MODEL",
    "MARK",
    "MARK_OUT",
    "MESSAGES",
    "MODEL",
    "embedding",
    "fresh_chat",
    "fresh_stream",
]

MODEL = "gpt-4o-mini"
RESPONSE_MODEL = "gpt-4o-mini-2024-07-18"
EMBED_MODEL = "text-embedding-3-small"
MARK = "ZEBRA-PROMPT-MARK"  # looked for in span attributes: was content captured?
MARK_OUT = "ZEBRA-OUTPUT-MARK"
EVENTS = 100  # of the stream, without [DONE]; usage is in the last one

MESSAGES = [
    {
        "role": "system",
        "content": "You are a concise assistant for a customer-support team. Answer in at most one paragraph, quote the "
        "policy section you rely on, and never invent a refund.",
    },
    {
        "role": "user",
        "content": MARK
        + " The customer ordered two items on the fourth of March, received one on the ninth, and asks whether the second "
        "can be cancelled without losing the bundle discount that was applied." * 4,
    },
]
EMBED_INPUT = MARK + " How do I cancel one item of a bundle without losing the discount?"

_WORDS = (
    MARK_OUT
    + " Under section 4.2 of the returns policy a bundle discount is kept when the remaining item is shipped before "
    "the cancellation is requested ; since the first parcel left on the sixth , the second item can be cancelled at no "
    "charge and the discount stays on the invoice . Please confirm the order number with the customer , open a "
    "cancellation ticket under the logistics queue , and tell them that the refund reaches their card within five working "
    "days of the warehouse acknowledging it which is usually the next morning ."
).split(" ")

_USAGE = {
    "prompt_tokens": 182,
    "completion_tokens": 98,
    "total_tokens": 280,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}

_ID = b"chatcmpl-Bench00000000000000"
_count = itertools.count(1)

_CHAT = json.dumps(
    {
        "id": _ID.decode(),
        "object": "chat.completion",
        "created": 1790000000,
        "model": RESPONSE_MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(_WORDS), "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }
).encode()


def _event(delta: dict, finish: str | None = None, usage: dict | None = None) -> bytes:
    choices = [] if usage else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    body = {
        "id": _ID.decode(),
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": RESPONSE_MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        "usage": usage,
        "obfuscation": "q7Zk1",
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


_TEXT = EVENTS - 3
_PIECES = ([word if i == 0 else " " + word for i, word in enumerate(_WORDS)] + [" ok"] * _TEXT)[:_TEXT]
_STREAM = [
    _event({"role": "assistant", "content": "", "refusal": None}),
    *(_event({"content": piece}) for piece in _PIECES),
    _event({}, "stop"),
    _event({}, usage=_USAGE),
    b"data: [DONE]\n\n",
]

_VECTOR = [((i * 7919) % 2000 - 1000) / 27000.0 for i in range(1536)]


def fresh_id() -> bytes:
    return b"chatcmpl-Bench%014d" % next(_count)


def fresh_chat() -> bytes:
    """The chat response with an id that no earlier response had."""
    return _CHAT.replace(_ID, fresh_id(), 1)


def fresh_stream() -> list[bytes]:
    """The events of one stream; all carry the same id, which no earlier response had."""
    own = fresh_id()
    return [event.replace(_ID, own, 1) for event in _STREAM]


def _embedding(vector: object) -> bytes:
    body = {
        "object": "list",
        "model": EMBED_MODEL,
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "usage": {"prompt_tokens": 17, "total_tokens": 17},
    }
    return json.dumps(body).encode()


_BASE64 = _embedding(base64.b64encode(struct.pack("<1536f", *_VECTOR)).decode())
_FLOATS = _embedding(_VECTOR)


def embedding(request: bytes) -> bytes:
    """The openai client asks for base64 unless told otherwise; a wrapper may ask for floats."""
    return _BASE64 if b'"encoding_format":"base64"' in request else _FLOATS
