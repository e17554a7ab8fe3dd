"""Budgets around real SDKs: refused before anything is sent, settled to what the ledger says, made to fit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import genops
from genops import semconv as s
from genops.core.budget import Account
from genops.core.budgets.model import Budget, BudgetMode, Estimator, rate_limit
from genops.core.errors import BudgetBlocked, RateLimited
from genops.core.ledger import Outcome
from genops.core.runtime import current_runtime
from genops.testing.capture import Captured, capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer

SAY: list[Any] = [{"role": "user", "content": "hello"}]
CHAT, STREAM, MESSAGE = (
    "openai-chat-once-0b39ae08eb",
    "openai-chat-stream-2466337cc2",
    "anthropic-messages-once-6189d53076",
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def replay(recordings: dict[str, Exchange]) -> Iterator[ReplayServer]:
    with ReplayServer(unique_ids=True) as running:
        running.play(recordings[CHAT], recordings[STREAM], recordings[MESSAGE])
        yield running


@pytest.fixture
def client(replay: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{replay.url}/v1", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(messages=SAY, **{"model": "gpt-5.4-mini", "max_tokens": 100, **more})


@contextmanager
def governed(*budgets: Budget) -> Iterator[Captured]:
    with (
        capture(adapters=["openai", "anthropic"], budgets=budgets) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        yield captured


def dollars(limit: str, **more: Any) -> Budget:
    return Budget(name="team", limit=Decimal(limit), **more)


def _account() -> Account:
    runtime = current_runtime()
    assert runtime is not None
    assert runtime.account is not None
    return runtime.account


def test_fees_of_searches_are_reserved_for(client: openai.OpenAI, replay: ReplayServer) -> None:
    """A search model makes a search for 0.025 USD, more than is left; another model may be asked the same."""
    with governed(dollars("0.02")):
        with pytest.raises(BudgetBlocked):
            ask(client, model="gpt-4o-search-preview")
        assert [] == replay.requests
        ask(client)
    assert 1 == len(replay.requests)


def spent(name: str = "team") -> Decimal:
    """What the store has counted, reservations included."""
    runtime = current_runtime()
    assert runtime is not None
    assert runtime.account is not None
    return sum(
        (Decimal(each.spent + each.reserved) / 10**9 for each in runtime.account.engine.store.counters(name)),
        Decimal(0),
    )


def test_settled_spend_is_what_the_ledger_says(client: openai.OpenAI) -> None:
    """Calls, streams and streams left early: the budget holds their cost, rounded up to the nano-dollar, no more."""
    with governed(dollars("10")) as captured:
        ask(client)
        list(client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True))
        with client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True) as stream:
            next(iter(stream))
        booked = sum((entry.cost or Decimal(0) for entry in captured.entries), Decimal(0))

        assert 3 == len(captured.entries)
        assert booked <= spent() <= booked + Decimal("0.000000003")
        assert {"team"} == {entry.budget_name for entry in captured.entries}
    assert [] == list(check(captured.spans).violations)


def test_call_that_does_not_fit_is_never_sent(client: openai.OpenAI, replay: ReplayServer) -> None:
    """What remains is said, and what to do; the entry is blocked and costs nothing."""
    with governed(dollars("0.0001")) as captured, pytest.raises(BudgetBlocked) as refused:
        ask(client)

    assert ("BUDGET_RESERVATION_FAILED", "team") == (refused.value.reason_code, refused.value.rule)
    assert "max_tokens" in str(refused.value.fix)
    assert [] == replay.requests
    assert (Outcome.BLOCKED, None, None) == (captured.entry.outcome, captured.entry.cost, captured.entry.reserved)
    assert [] == list(check(captured.spans).violations)


def test_spent_budget_refuses_with_its_own_reason(client: openai.OpenAI) -> None:
    """Nothing remains: BUDGET_EXCEEDED."""
    with governed(Budget(name="calls", limit=Decimal(1), unit="requests")) as captured:
        ask(client)
        with pytest.raises(BudgetBlocked) as refused:
            ask(client)

    assert "BUDGET_EXCEEDED" == refused.value.reason_code
    assert ["completed", "blocked"] == [entry.outcome for entry in captured.entries]


def test_soft_budget_warns(client: openai.OpenAI) -> None:
    """The call goes on; the decision says which budget was passed."""
    with governed(dollars("0.0000001", mode=BudgetMode.SOFT)) as captured:
        ask(client)

    assert ("WARNING", "x_budget_soft_limit", "team") == (
        captured.entry.policy_result,
        captured.entry.policy_reason_code,
        captured.entry.policy_name,
    )
    assert [] == list(check(captured.spans).violations)


def test_rate_limit_says_when_to_come_back(client: openai.OpenAI) -> None:
    """RATE_LIMITED is a refusal that passes."""
    with governed(rate_limit("calls", 2)) as captured:
        ask(client)
        ask(client)
        with pytest.raises(RateLimited) as refused:
            ask(client)

    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 60
    assert "RATE_LIMITED" == captured.entries[-1].policy_result


def test_request_is_made_to_fit(client: openai.OpenAI, replay: ReplayServer) -> None:
    """With `estimator: fit` the output limit is lowered to what the budget has left, and the span says so."""
    with governed(dollars("0.0005", estimator=Estimator.FIT)) as captured:
        ask(client, max_tokens=5000)
    sent = replay.requests[0].body["max_tokens"]

    assert 0 < sent < 5000
    assert sent == (captured.span.attributes or {})[s.GEN_AI_REQUEST_MAX_TOKENS]
    assert captured.entry.reserved is not None
    assert captured.entry.reserved <= Decimal("0.0005")


def test_request_without_a_limit_gets_the_one_that_fits(client: openai.OpenAI, replay: ReplayServer) -> None:
    """The argument of the API is used where the application gave none."""
    with governed(dollars("0.0005", estimator=Estimator.FIT)):
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    body = replay.requests[0].body
    assert 0 < (body.get("max_completion_tokens") or body["max_tokens"]) < 4096  # old versions know the latter alone


def test_adaptive_budget_learns_what_calls_take(client: openai.OpenAI) -> None:
    """After eight calls with a high limit and short answers, far less is reserved."""
    with governed(dollars("10", estimator=Estimator.ADAPTIVE)) as captured:
        for _ in range(10):
            ask(client, max_tokens=50_000)
    reserved = [entry.reserved or Decimal(0) for entry in captured.entries]

    assert reserved[0] == reserved[7]
    assert reserved[9] < reserved[0] / 100


def test_refusal_of_the_provider_gives_everything_back(client: openai.OpenAI, replay: ReplayServer) -> None:
    """A call that never ran holds nothing: no budget is pinned by errors."""
    replay.play()
    with governed(dollars("10")) as captured:
        for _ in range(3):
            with pytest.raises(openai.NotFoundError):
                ask(client)

        assert ({"error"}, 0) == ({entry.outcome.value for entry in captured.entries}, spent())


def test_every_level_of_a_hierarchy_is_charged_or_none(client: openai.OpenAI) -> None:
    """The customer's budget refuses, and the organisation's is untouched by it."""
    organisation = Budget(name="team", limit=Decimal(10))
    customer = Budget(
        name="customer", limit=Decimal("0.0000001"), group_by=("customer_id",), match={"team": ("search",)}
    )
    with governed(organisation, customer):
        with genops.attribution(team="search", customer_id="acme"), pytest.raises(BudgetBlocked):
            ask(client)
        assert 0 == spent()
        with genops.attribution(team="growth", customer_id="acme"):
            ask(client)
        assert 0 < spent()


def test_money_spent_elsewhere_is_charged_and_never_refused() -> None:
    """A cost the application states is a fact, also past the limit."""
    with governed(dollars("1")):
        genops.track_cost("0.75", provider="acme", model="m")
        entry = genops.track_cost("0.75", provider="acme", model="m")

        assert entry is not None
        assert Decimal("1.5") == spent()


def test_unpriced_model_is_refused_by_a_budget_of_money(client: openai.OpenAI) -> None:
    """Nobody knows what it may take; `on_unpriced` changes that."""
    with governed(dollars("10")), pytest.raises(BudgetBlocked, match="custom_rates"):
        ask(client, model="nobody-1")


def test_threads_never_overspend_one_budget(client: openai.OpenAI) -> None:
    """Forty calls at once against a limit for a few of them."""
    with governed(dollars("0.002")) as captured, ThreadPoolExecutor(8) as pool:

        def attempt(_: int) -> bool:
            try:
                ask(client)
            except BudgetBlocked:
                return False
            return True

        done = list(pool.map(genops.propagate(attempt), range(40)))
        assert spent() <= Decimal("0.002")

    assert 0 < sum(done) < 40
    assert sum((entry.cost or Decimal(0) for entry in captured.entries), Decimal(0)) <= Decimal("0.002")


def test_long_stream_keeps_its_reservation(client: openai.OpenAI) -> None:
    """While a call is in flight its reservation is extended; when it is done it is charged what it used."""
    with governed(dollars("10")) as captured:
        account = _account()
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True)
        next(iter(stream))
        engine, late = account.engine, account.engine.store.clock() + 2 * account.engine.expires_after_s
        engine._clock = lambda: late - engine.expires_after_s
        account.beat()
        engine._clock = lambda: late - 1
        assert () == engine.expire()
        list(stream)

        assert captured.entry.cost is not None
        assert captured.entry.cost <= spent() <= captured.entry.cost + Decimal("0.000000001")


def test_threshold_is_told_once(client: openai.OpenAI) -> None:
    """An alert is a log record and a count."""
    with governed(Budget(name="calls", limit=Decimal(4), unit="requests", thresholds=(50,))) as captured:
        for _ in range(4):
            ask(client)
    alerts = [record for record in captured.logs if record.event_name == s.EVENT_BUDGET_ALERT]

    assert [50] == [record.attributes[s.GENOPS_BUDGET_THRESHOLD] for record in alerts]
    assert 1 == captured.metrics()[s.METRIC_BUDGET_ALERTS][0].value


def test_anthropic_message_that_does_not_fit(replay: ReplayServer) -> None:
    """The same for the other SDK, its stream helper included."""
    with (
        anthropic.Anthropic(api_key="test", base_url=replay.url, max_retries=0) as claude,
        governed(dollars("0.0001")),
    ):
        with pytest.raises(BudgetBlocked):
            claude.messages.create(model="claude-sonnet-4-6", max_tokens=1000, messages=SAY)
        with (
            pytest.raises(BudgetBlocked),
            claude.messages.stream(model="claude-sonnet-4-6", max_tokens=1000, messages=SAY),
        ):
            pass

    assert [] == replay.requests


APP = """
import sys, openai, genops
genops.auto_instrument(adapters=["openai"])
client = openai.OpenAI(api_key="test", base_url=sys.argv[1], max_retries=0)
sent = 0
for _ in range(20):
    try:
        messages = [{"role": "user", "content": "hello"}]
        client.chat.completions.create(model="gpt-5.4-mini", messages=messages, max_tokens=100)
        sent += 1
    except genops.BudgetBlocked:
        pass
print(sent)
"""


def test_processes_share_the_budget_of_genops_yaml(replay: ReplayServer, tmp_path: Path) -> None:
    """One file, four processes, one limit; afterwards `genops budgets verify` agrees with the ledger."""
    (tmp_path / "genops.yaml").write_text(
        "attribution: {team: search, project: shop, environment: test}\n"
        "ledger: {dir: ledger}\n"
        "budgets:\n  - {name: team-daily, limit: 0.004, group_by: [team], window: day}\n"
    )
    command = [sys.executable, "-c", APP, f"{replay.url}/v1"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    sent = [int(each.communicate()[0]) for each in running]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        cli = [str(Path(sys.executable).parent / "genops"), "budgets", *arguments]
        return subprocess.run(cli, cwd=tmp_path, capture_output=True, text=True, check=False)

    (row,) = json.loads(run("list", "--json").stdout)
    assert 0 < sum(sent) < 80
    assert Decimal(row["spent"]) <= Decimal("0.004")
    assert Decimal(0) == Decimal(row["reserved"])
    assert 0 == run("verify").returncode, run("verify").stdout
