"""Redaction around real SDKs: what leaves the process, what comes back, and what is recorded of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

import genops
from genops import semconv as s
from genops.config.policies import parse_policy
from genops.core.errors import PolicyBlocked
from genops.core.redacting import Redaction
from genops.core.rules.ruleset import RuleSet
from genops.testing.capture import Captured, capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, Received, ReplayServer

ADDRESS, IBAN = "ada.lovelace@example.org", "DE89 3704 0044 0532 0130 00"
KEY = "sk-ant-api03-" + base64.urlsafe_b64encode(hashlib.sha512(b"test").digest() + b"12345").decode()[:93] + "AA"
PROMPT = f"Write to {ADDRESS} about the account {IBAN}, please."
CHAT, STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-7447f09117"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _said(received: Received) -> str:
    """The text of the last message, as the provider got it."""
    content = received.body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _echo(recordings: dict[str, Exchange], received: Received) -> Exchange:
    """An answer that says what was asked; in a stream, three characters at a time."""
    streamed, of_anthropic = bool(received.body.get("stream")), received.path.endswith("/messages")
    if of_anthropic:
        prefix = "anthropic-messages-stream" if streamed else "anthropic-messages-once-6189d53076"
        exchange = next(each for name, each in recordings.items() if name.startswith(prefix))
    else:
        exchange = recordings[STREAM if streamed else CHAT]
    text = _said(received)
    if not streamed:
        body = json.loads(exchange.body)
        if of_anthropic:
            body["content"] = [{"type": "text", "text": text}]
        else:
            body["choices"][0]["message"]["content"] = text
        return replace(exchange, body=json.dumps(body))
    return replace(exchange, body=_spoken(exchange.body, [text[at : at + 3] for at in range(0, len(text), 3)]))


def _spoken(body: str, pieces: list[str]) -> str:
    """A recorded stream that says something else: its first chunk of text once for each piece, the others left out."""
    events, said = [], False
    for event in re.split(r"\n\n", body):
        data = re.search(r"^data: (\{.*)$", event, re.MULTILINE)
        chunk = json.loads(data[1]) if data else {}
        holder = chunk.get("delta") or ((chunk.get("choices") or [{}])[0].get("delta") or {})
        key = "content" if "content" in holder else "text"
        if not isinstance(holder.get(key), str) or not holder[key]:
            events.append(event)
            continue
        for piece in [] if said else pieces:
            holder[key] = piece
            events.append(event.replace(data[1], json.dumps(chunk)))
        said = True
    return "\n\n".join(events)


@pytest.fixture
def echo(recordings: dict[str, Exchange]) -> Iterator[ReplayServer]:
    with ReplayServer(choose=lambda received: _echo(recordings, received), unique_ids=True) as running:
        yield running


@pytest.fixture
def client(echo: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{echo.url}/v1", max_retries=0) as made:
        yield made


@contextmanager
def governed(redactor: Redaction, *written: str) -> Iterator[Captured]:
    text = "rules:\n" + "".join(f"  - {{{each}}}\n" for each in written)
    rules = RuleSet(parse_policy(text).rules) if written else None
    with (
        capture(adapters=["openai", "anthropic"], policy_rules=rules, redactor=redactor) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        yield captured
    assert [] == list(check(captured.spans).violations)


def ask(client: openai.OpenAI, content: Any = PROMPT, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": content}], **more)


def test_request_goes_out_without_what_the_rule_names(client: openai.OpenAI, echo: ReplayServer) -> None:
    """Counted on the span; the value is nowhere, and the application's own message is as it was."""
    message = {"role": "user", "content": PROMPT}
    with governed(Redaction(), "name: r, condition: 'entities.size() > 0', actions: {redact: [EMAIL]}") as captured:
        client.chat.completions.create(model="gpt-4o-mini", messages=[message])

    assert f"Write to [EMAIL] about the account {IBAN}, please." == _said(echo.requests[0])
    assert PROMPT == message["content"]
    attributes = dict(captured.span.attributes or {})
    assert (1, ("EMAIL=1",), ("redact=EMAIL",)) == (
        attributes[s.GENOPS_REDACTION_COUNT],
        attributes[s.GENOPS_REDACTION_ENTITIES],
        attributes[s.GENOPS_POLICY_ACTIONS],
    )
    assert ADDRESS not in captured.span.to_json() + repr(captured.entry) + repr(captured.logs)


def test_kinds_that_were_found_decide(client: openai.OpenAI, echo: ReplayServer) -> None:
    """A rule reads `entities`."""
    with governed(Redaction(), "name: r, condition: '\"IBAN\" in entities', reason_code: POLICY_DENY_CONTENT"):
        ask(client, "nothing to see")
        with pytest.raises(PolicyBlocked) as refused:
            ask(client)

    assert "POLICY_DENY_CONTENT" == refused.value.reason_code
    assert 1 == len(echo.requests)


def test_blocked_kind_is_not_sent(client: openai.OpenAI, echo: ReplayServer) -> None:
    """The settings say so for every request; the message names the kind and not the value."""
    with (
        governed(Redaction(actions={"secret": "block"}, always=["all"])),
        pytest.raises(PolicyBlocked, match="holds API_KEY, which must not be sent") as refused,
    ):
        ask(client, f"my key is {KEY}")

    assert "POLICY_DENY_CONTENT" == refused.value.reason_code
    assert KEY not in str(refused.value)
    assert [] == echo.requests


TOKENS = {"personal": "token"}


def test_answer_says_what_the_token_stands_for(client: openai.OpenAI, echo: ReplayServer) -> None:
    """The provider sees tokens, the application the values."""
    with governed(Redaction(actions=TOKENS, always=["all"])):
        answer = ask(client)

    assert PROMPT == answer.choices[0].message.content
    assert re.fullmatch(r"Write to \[EMAIL_\w{8}\] about the account \[IBAN_\w{8}\], please\.", _said(echo.requests[0]))


def test_streamed_answer_is_restored_across_chunks(client: openai.OpenAI, echo: ReplayServer) -> None:
    """Three characters a chunk: every token is split."""
    with governed(Redaction(actions=TOKENS, always=["all"])) as captured:
        chunks = list(ask(client, stream=True))

    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert PROMPT == said
    assert ADDRESS not in json.dumps(echo.requests[0].body)
    assert captured.entry.cost is not None


async def test_async_stream_is_restored(echo: ReplayServer) -> None:
    """The same for asyncio."""
    async with openai.AsyncOpenAI(api_key="test", base_url=f"{echo.url}/v1", max_retries=0) as client:
        with governed(Redaction(actions=TOKENS, always=["all"])):
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}], stream=True
            )
            chunks = [chunk async for chunk in stream]

    assert PROMPT == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_text_that_only_looks_like_a_token_comes_out_at_the_end(client: openai.OpenAI) -> None:
    """What was held back is not lost."""
    text = f"{ADDRESS} [EMAIL_"
    with governed(Redaction(actions=TOKENS, always=["all"])):
        chunks = list(ask(client, text, stream=True))

    assert text == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_is_redacted_and_restored(echo: ReplayServer, streamed: bool) -> None:
    """Messages in parts, and the helper that assembles a stream."""
    parts: Any = [{"type": "text", "text": PROMPT}]
    ask_for: Any = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": parts}]}
    with (
        anthropic.Anthropic(api_key="test", base_url=echo.url, max_retries=0) as client,
        governed(Redaction(actions=TOKENS, always=["all"])),
    ):
        if streamed:
            with client.messages.stream(**ask_for) as stream:
                said = "".join(stream.text_stream)
        else:
            said = client.messages.create(**ask_for).content[0].text

    assert PROMPT == said
    assert ADDRESS not in json.dumps(echo.requests[0].body)


def test_messages_in_a_generator_are_redacted_and_sent(client: openai.OpenAI, echo: ReplayServer) -> None:
    """It can be read once only: what was read is what is sent."""
    with governed(Redaction(), "name: r, condition: '\"EMAIL\" in entities', actions: {redact: [all]}"):
        client.chat.completions.create(
            model="gpt-4o-mini", messages=(each for each in [{"role": "user", "content": PROMPT}])
        )

    assert "Write to [EMAIL] about the account [IBAN], please." == _said(echo.requests[0])


def test_message_objects_of_the_sdk_are_redacted(client: openai.OpenAI, echo: ReplayServer) -> None:
    """An answer that goes back into the conversation, as applications do."""
    first = ask(client).choices[0].message
    with governed(Redaction(always=["all"])):
        client.chat.completions.create(model="gpt-4o-mini", messages=[first, {"role": "user", "content": "and?"}])

    assert "[EMAIL]" in echo.requests[-1].body["messages"][0]["content"]


def test_content_is_exported_redacted_where_it_is_turned_on(client: openai.OpenAI) -> None:
    """As OpenTelemetry's messages, for whole answers and for streams."""
    redaction = Redaction(actions={"secret": "block"})
    with governed(redaction) as captured:
        from genops.core.runtime import current_runtime

        runtime = current_runtime()
        assert runtime is not None
        runtime.telemetry.content = redaction.redact
        ask(client)
        list(ask(client, stream=True))

    told = "Write to [EMAIL] about the account [IBAN], please."
    for span in captured.spans:
        attributes = dict(span.attributes or {})
        assert [{"role": "user", "parts": [{"type": "text", "content": told}]}] == json.loads(
            str(attributes[s.GEN_AI_INPUT_MESSAGES])
        )
        (answer,) = json.loads(str(attributes[s.GEN_AI_OUTPUT_MESSAGES]))
        assert told == answer["parts"][0]["content"]


def test_content_is_nowhere_by_default(client: openai.OpenAI) -> None:
    """Neither prompts nor answers."""
    with governed(Redaction()) as captured:
        ask(client)

    assert "Write to" not in captured.span.to_json() + repr(captured.entry) + repr(captured.logs)
