"""A stream of text comes out as the whole would, wherever it is cut."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genops.core.redaction import Redactor, Rule, Vault

REDACTOR = Redactor()
WORDS = [
    "please",
    "write",
    "to",
    "the",
    "owner",
    "of",
    "password",
    "is",
    "card",
    "number",
    "call",
    "token",
    "and",
    "then",
]
VALUES = [
    *(
        "jane.doe@example.com",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "+44 20 7946 0018",
        "hunter2-Tr0ub",
    ),
    *(
        "078-05-1120",
        "https://bob:s3cr3t-pw@db.example.net/x",
        "ghp_p04fwsz1tu1i7zbem1a6zl6jmkvapysnfimz",
        "555 123 4567",
    ),
    *(
        "api_key = 'h38Fk2lQ9zXc7VbN4mWs'",
        "2001:db8::8a2e:370:7334",
        "Grüße",
        "日本語",
        "1.2.3",
        "=",
        "'",
        "\n",
        ": ",
        "\ud800",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nabcd\n-----END PRIVATE KEY-----",
        "gb29 nwbk with that",
    ),
]
TEXTS = st.lists(st.sampled_from(WORDS * 3 + VALUES), max_size=40).map(" ".join)


def streamed(redactor: Redactor, text: str, cuts: list[int]) -> str:
    """What comes out when `text` goes in in pieces."""
    stream = redactor.stream()
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [stream.feed(text[start:end]) for start, end in pairwise(places)]
    return "".join(pieces) + stream.finish()


@settings(max_examples=250, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 2000), max_size=12))
def test_a_stream_equals_the_whole(text: str, cuts: list[int]) -> None:
    """Cut anywhere, the pieces together are the redacted text."""
    assert REDACTOR.redact(text).text == streamed(REDACTOR, text, cuts)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_stream_of_single_characters_equals_the_whole(text: str) -> None:
    """So do pieces of one character."""
    assert REDACTOR.redact(text).text == streamed(REDACTOR, text, list(range(len(text))))


def test_plain_words_do_not_wait_for_the_end() -> None:
    """Text leaves at a gap between two plain words."""
    stream = REDACTOR.stream()

    assert "there was once some " == stream.feed("there was once some king who")


def test_counts_and_blocks_are_those_of_the_whole() -> None:
    """What `redact` counts, a stream counts."""
    redactor = Redactor(actions={"EMAIL": "block"})
    stream = redactor.stream()
    text = "please write to jane@example.com and then to joe@example.com or call the owner"
    for char in text:
        stream.feed(char)
    stream.finish()

    assert ({"EMAIL": 2}, True) == (dict(stream.counts), stream.blocked)


def test_a_rule_that_spans_words_holds_the_stream_back() -> None:
    """A pattern of the user's may hold anything, if it says so."""
    rule = Rule("project", "PROJECT", "blue whale rising", spans_words=True)
    redactor = Redactor(custom=[rule])
    text = "we call the thing blue whale rising and no one knows why"

    assert "we call the thing [PROJECT] and no one knows why" == streamed(redactor, text, list(range(len(text))))


@pytest.mark.parametrize("seed", range(20))
def test_tokens_are_restored_from_a_stream_cut_anywhere(seed: int) -> None:
    """A token that is cut in two is a token."""
    vault = Vault()
    redactor = Redactor(actions={"personal": "token"}, vault=vault)
    text = "mail [a] jane@example.com or [B] joe@example.com, [EMAIL_] not jane@example.com ["
    sent = redactor.redact(text).text
    stream = vault.stream()
    cuts = sorted(random.Random(seed).sample(range(len(sent)), 8))
    pieces = [stream.feed(sent[start:end]) for start, end in pairwise([0, *cuts, len(sent)])]

    assert (text, False) == ("".join(pieces) + stream.finish(), "jane" in sent)
