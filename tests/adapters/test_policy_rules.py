"""Policy files around real SDKs: what is refused is never sent, and what is changed is sent changed and shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import genops
from genops import semconv as s
from genops.config.policies import parse_policy
from genops.config.watching import FileKillSwitch, WatchedRules
from genops.core.errors import KillSwitchOn, PolicyBlocked
from genops.core.ledger import Outcome
from genops.core.rules.ruleset import RuleSet
from genops.core.runtime import current_runtime
from genops.testing.capture import Captured, capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer

SAY: list[Any] = [{"role": "user", "content": "hello"}]
CHAT, STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"
MESSAGE = "anthropic-messages-once-6189d53076"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def replay(recordings: dict[str, Exchange]) -> Iterator[ReplayServer]:
    streamed = next(each for name, each in recordings.items() if name.startswith("anthropic-messages-stream"))
    with ReplayServer(unique_ids=True) as running:
        running.play(recordings[CHAT], recordings[STREAM], recordings[MESSAGE], streamed)
        yield running


@pytest.fixture
def client(replay: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{replay.url}/v1", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(messages=SAY, **{"model": "gpt-5.4", "max_tokens": 100, **more})


@contextmanager
def governed(*written: str, **more: Any) -> Iterator[Captured]:
    text = "rules:\n" + "".join(f"  - {{{each}}}\n" for each in written)
    with (
        capture(adapters=["openai", "anthropic"], policy_rules=RuleSet(parse_policy(text).rules), **more) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        yield captured
    assert [] == list(check(captured.spans).violations)


def attributes(captured: Captured) -> dict[str, Any]:
    return dict(captured.span.attributes or {})


def test_refused_call_is_never_sent(client: openai.OpenAI, replay: ReplayServer) -> None:
    """The error says rule, reason and where the rule is; the entry is blocked."""
    rule = "name: no-5, condition: 'model.startsWith(\"gpt-5\")', reason_code: POLICY_DENY_MODEL, fix: use gpt-4o-mini"
    with governed(rule) as captured, pytest.raises(PolicyBlocked, match=r"use gpt-4o-mini.*policy.yaml:2") as refused:
        ask(client)

    assert ("no-5", "POLICY_DENY_MODEL") == (refused.value.rule, refused.value.reason_code)
    assert refused.value.decision is not None
    assert [] == replay.requests
    assert Outcome.BLOCKED is captured.entry.outcome
    assert 12 == len(attributes(captured)[s.GENOPS_POLICY_VERSION])


def test_cost_and_tokens_of_the_request_decide(client: openai.OpenAI) -> None:
    """Per call, not once for all calls of a kind."""
    with governed("name: dear, condition: 'estimated_cost > 0.01 || input_tokens > 1000'"):
        ask(client)
        with pytest.raises(PolicyBlocked):
            ask(client, max_tokens=5000)
        with pytest.raises(PolicyBlocked):
            client.chat.completions.create(
                model="gpt-5.4", max_tokens=1, messages=[{"role": "user", "content": "word " * 4000}]
            )


def test_tools_on_offer_decide(client: openai.OpenAI) -> None:
    """By name."""
    shell: Any = {"type": "function", "function": {"name": "shell", "parameters": {}}}
    with governed("name: no-shell, condition: '\"shell\" in tools'"):
        ask(client)
        with pytest.raises(PolicyBlocked):
            ask(client, tools=[shell])


REROUTE = "name: cheaper, condition: 'model == \"gpt-5.4\"', actions: {reroute: gpt-5.4-mini}"


def test_call_is_rerouted_and_priced_as_what_ran(client: openai.OpenAI, replay: ReplayServer) -> None:
    """The span has both models."""
    with governed(REROUTE) as captured:
        ask(client)

    assert "gpt-5.4-mini" == replay.requests[0].body["model"]
    assert "gpt-5.4-mini" == captured.entry.request_model
    found = attributes(captured)
    assert ("gpt-5.4-mini", "gpt-5.4", ("reroute=gpt-5.4-mini",)) == (
        found[s.GEN_AI_REQUEST_MODEL],
        found[s.GENOPS_POLICY_ORIGINAL_MODEL],
        found[s.GENOPS_POLICY_ACTIONS],
    )


def test_decision_is_about_the_model_that_runs(client: openai.OpenAI, replay: ReplayServer) -> None:
    """A denied model may be rerouted to an allowed one; an allowed one to a denied one is refused."""
    with governed(REROUTE, "name: not-the-big-one, condition: 'model == \"gpt-5.4\"'"):
        ask(client)
    assert 1 == len(replay.requests)
    with (
        governed(REROUTE, "name: not-the-small-one, condition: 'model == \"gpt-5.4-mini\"'"),
        pytest.raises(PolicyBlocked, match="not-the-small-one"),
    ):
        ask(client)
    assert 1 == len(replay.requests)


def test_two_rules_cannot_pass_a_call_back_and_forth(client: openai.OpenAI, replay: ReplayServer) -> None:
    """One reroute a call."""
    with governed(
        "name: a, condition: 'model == \"gpt-5.4\"', actions: {reroute: gpt-5.4-mini}",
        "name: b, condition: 'model == \"gpt-5.4-mini\"', actions: {reroute: gpt-5.4}",
    ):
        ask(client)

    assert "gpt-5.4-mini" == replay.requests[0].body["model"]


def test_output_is_capped(client: openai.OpenAI, replay: ReplayServer) -> None:
    """In the argument that the request uses; a lower limit of the application's stays."""
    with governed("name: short, match: {team: search}, actions: {max_output_tokens: 50}") as captured:
        ask(client)
        ask(client, max_tokens=20)
        ask(client, n=2)

    assert [50, 20, 25] == [each.body["max_tokens"] for each in replay.requests]
    first = dict(captured.spans[0].attributes or {})
    assert (50, ("max_output_tokens=50",)) == (first[s.GEN_AI_REQUEST_MAX_TOKENS], first[s.GENOPS_POLICY_ACTIONS])


@pytest.mark.skipif(not hasattr(openai.resources.chat.Completions, "stream"), reason="this openai has no stream()")
def test_stream_helper_of_openai_is_changed_too(client: openai.OpenAI, replay: ReplayServer) -> None:
    """The manager exists before the call begins; what is sent is what was decided."""
    with (
        governed("name: cheaper, match: {team: search}, actions: {reroute: gpt-4o-mini, max_output_tokens: 9}"),
        client.chat.completions.stream(model="gpt-5.4", messages=SAY, max_tokens=100) as stream,
    ):
        stream.until_done()

    assert ("gpt-4o-mini", 9) == (replay.requests[0].body["model"], replay.requests[0].body["max_tokens"])


def test_stream_helper_of_anthropic_is_changed_too(replay: ReplayServer) -> None:
    """Sync."""
    rule = "name: cheaper, match: {team: search}, actions: {reroute: claude-haiku-4-5, max_output_tokens: 9}"
    with (
        anthropic.Anthropic(api_key="test", base_url=replay.url, max_retries=0) as client,
        governed(rule) as captured,
        client.messages.stream(model="claude-sonnet-4-5", messages=SAY, max_tokens=100) as stream,
    ):
        stream.until_done()

    assert ("claude-haiku-4-5", 9) == (replay.requests[0].body["model"], replay.requests[0].body["max_tokens"])
    assert 1 == len(captured.entries)


async def test_async_stream_helper_is_changed_too(replay: ReplayServer) -> None:
    """The request that is not sent leaves no coroutine behind that nobody awaits."""
    rule = "name: cheaper, match: {team: search}, actions: {reroute: claude-haiku-4-5}"
    async with anthropic.AsyncAnthropic(api_key="test", base_url=replay.url, max_retries=0) as client:
        with governed(rule) as captured:
            async with client.messages.stream(model="claude-sonnet-4-5", messages=SAY, max_tokens=100) as stream:
                await stream.until_done()

    assert "claude-haiku-4-5" == replay.requests[0].body["model"]
    assert 1 == len(captured.entries)


def test_shadow_rule_is_seen_in_telemetry_alone(client: openai.OpenAI) -> None:
    """ALLOWED, with what it would have been."""
    with governed("name: later, condition: 'true', mode: shadow") as captured:
        ask(client)

    found = attributes(captured)
    assert ("ALLOWED", ("later: BLOCKED",)) == (found[s.GENOPS_POLICY_RESULT], found[s.GENOPS_POLICY_SHADOW])


def test_changed_files_are_in_force_without_a_restart(client: openai.OpenAI, tmp_path: Path) -> None:
    """And a file that cannot be read leaves the last good rules in force."""
    file = tmp_path / "p.yaml"
    file.write_text("rules: [{name: a, condition: 'model == \"o3\"'}]")
    watched = WatchedRules(lambda: (RuleSet(parse_policy(file.read_text()).rules), [file]))
    with capture(adapters=["openai"], policy_rules=watched), genops.attribution(team="a", project="b", environment="c"):
        ask(client)
        file.write_text("rules: [{name: a, condition: 'true', description: everything}]")
        _pass_a_second(watched)
        with pytest.raises(PolicyBlocked):
            ask(client)
        file.write_text("rules: [{name: a, condition: 'modell == 1'}]")
        assert not watched.reload()
        with pytest.raises(PolicyBlocked):
            ask(client)


def _pass_a_second(watched: WatchedRules) -> None:
    """Look again, as a call would a second later, and wait for the thread that reads."""
    before = watched.current(0)
    deadline = time.monotonic() + 10
    look = time.time_ns()
    while watched.current(look) is before and time.monotonic() < deadline:
        look += 2_000_000_000
        time.sleep(0.01)


def test_kill_switch_stops_calls_before_any_policy(client: openai.OpenAI, tmp_path: Path, replay: ReplayServer) -> None:
    """All calls, or those it names, while the file is there; an unreadable file stops all."""
    file = tmp_path / "kill-switch.yaml"
    with capture(adapters=["openai"]) as captured, genops.attribution(team="ads", project="b", environment="c"):
        runtime = current_runtime()
        assert runtime is not None
        for content, stopped in (
            (None, False),
            ("", True),
            ("match: {team: search}", False),
            ("{match: {team: ads}, reason: incident 7}", True),
            ("matches: {team: nobody}", True),
        ):
            if content is not None:
                file.write_text(content)
            runtime.kill_switch = FileKillSwitch(file)
            if not stopped:
                ask(client)
                continue
            with pytest.raises(KillSwitchOn) as refused:
                ask(client)
            assert "x_kill_switch" == refused.value.reason_code
        os.unlink(file)
        runtime.kill_switch = FileKillSwitch(file)
        ask(client)

    assert 3 == len(replay.requests)
    assert [] == list(check(captured.spans).violations)


def test_action_that_cannot_be_done_refuses_the_call(client: openai.OpenAI, replay: ReplayServer) -> None:
    """A rule that wants something taken out, in a process that cannot: better refused than sent."""
    with (
        governed("name: r, match: {team: search}, actions: {redact: [all]}"),
        pytest.raises(PolicyBlocked, match="a rule asks for redact, and no redactor is there") as refused,
    ):
        ask(client)

    assert "x_policy_error" == refused.value.reason_code
    assert [] == replay.requests


def test_cost_that_is_only_booked_is_not_acted_upon() -> None:
    """There is no request to change, and the span does not say that there was."""
    with governed("name: r, match: {team: search}, actions: {reroute: gpt-4o-mini}") as captured:
        genops.track_cost("0.1", provider="openai", model="gpt-4o")

    assert "gpt-4o" == captured.entry.request_model
    assert s.GENOPS_POLICY_ACTIONS not in attributes(captured)


def test_embedding_has_no_output_to_cap(
    client: openai.OpenAI, replay: ReplayServer, recordings: dict[str, Exchange]
) -> None:
    """The rule is about nothing there."""
    replay.play(next(each for name, each in recordings.items() if name.startswith("openai-embeddings")))
    with governed("name: r, match: {team: search}, actions: {max_output_tokens: 5}"):
        client.embeddings.create(model="text-embedding-3-small", input="red shoes", encoding_format="float")

    assert "max_tokens" not in replay.requests[0].body
