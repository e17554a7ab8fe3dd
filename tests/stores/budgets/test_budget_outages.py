"""A Redis that is down, empty, slow, without its scripts or read-only: each `on_store_error` does what it says."""

from __future__ import annotations

import signal
import time
from decimal import Decimal

import pytest
import redis as redis_py

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget, OnStoreError
from genops.core.budgets.outage import Outage
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.windows import Window, WindowKind
from genops.core.errors import BudgetBlocked, BudgetStoreError, ConfigurationError
from genops.stores.budgets import RedisBudgetStore, open_budget_store

CLOSED, LOCAL, OPEN = OnStoreError.FAIL_CLOSED, OnStoreError.LOCAL_ALLOWANCE, OnStoreError.FAIL_OPEN
CALL = BudgetCall({}, cost=Decimal("0.1"))


def engine(url: str, on_store_error: OnStoreError = CLOSED, **more: object) -> BudgetEngine:
    budget = Budget(
        name="shared",
        limit=Decimal(1),
        window=Window(kind=WindowKind.TOTAL),
        on_store_error=on_store_error,
        slice=Decimal("0.2") if on_store_error is LOCAL else None,
    )
    store = RedisBudgetStore(url, timeout_s=0.2)
    return BudgetEngine([budget], store, outage=Outage(left_alone_s=0.05), **more)  # type: ignore[arg-type]


def spend(one: BudgetEngine, name: str, cost: str = "0.1") -> str:
    """Make one governed call; what was said to it."""
    admission = one.reserve(name, CALL)
    if admission.reservation is not None:
        one.settle(admission.reservation, {"USD": Decimal(cost)})
    return admission.findings[0].reason_code if admission.findings else "ALLOWED"


def damaged(server, damage: str) -> None:
    """Do to the server what is to be survived."""
    client = redis_py.Redis.from_url(server.url)
    if damage == "down":
        server.stop()
    elif damage == "empty":
        server.stop()
        server.start()
    elif damage == "emptied":
        client.flushall()
    elif damage == "slow":
        server.process.send_signal(signal.SIGSTOP)
    else:
        client.replicaof("127.0.0.1", 1)  # a replica, read-only, of a master that is not there
    client.close()


def repaired(server, damage: str) -> None:
    if damage == "down":
        server.start()
    elif damage == "slow":
        server.process.send_signal(signal.SIGCONT)
    elif damage == "replica":
        client = redis_py.Redis.from_url(server.url)
        client.replicaof("NO", "ONE")
        client.close()
    time.sleep(0.06)  # the store is left alone for 0.05 s


DAMAGE = ("down", "empty", "emptied", "slow", "replica")


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (CLOSED, ["BUDGET_RESERVATION_FAILED"] * 3),
        (LOCAL, ["x_budget_local_allowance"] * 2 + ["BUDGET_RESERVATION_FAILED"]),
        (OPEN, ["x_budget_store_unavailable"] * 3),
    ],
)
def test_store_error_is_answered_as_the_budget_says(start_redis, damage, mode, said):
    """Refused; let through up to one slice per process; let through with a warning. Never silently unlimited."""
    server = start_redis()
    one = engine(server.url, mode)
    assert "ALLOWED" == spend(one, "before")

    damaged(server, damage)
    answers = [spend(one, f"during{number}") for number in range(3)]

    assert said == answers
    one.store.close()
    if damage == "slow":
        repaired(server, damage)


@pytest.mark.parametrize("damage", ["down", "slow", "replica"])
@pytest.mark.parametrize("mode", [LOCAL, OPEN])
def test_what_was_spent_meanwhile_is_told_to_the_store(start_redis, tmp_path, damage, mode):
    """Under the ids of the calls, once; the store keeps what it held where it keeps it at all."""
    options = ("--appendonly", "yes", "--appendfsync", "always")
    server = start_redis(*options)
    one = engine(server.url, mode)
    spend(one, "before")
    damaged(server, damage)
    through = sum(spend(one, f"during{number}") != "BUDGET_RESERVATION_FAILED" for number in range(3))
    repaired(server, damage)

    assert "ALLOWED" == spend(one, "after")
    assert Decimal("0.1") * (2 + through) == Decimal(1) - one.remaining(CALL)["shared"]
    assert not one.outage.owed
    one.store.close()


@pytest.mark.parametrize("damage", ["down", "slow"])
def test_call_in_flight_when_the_store_goes_away_is_settled_later(start_redis, damage):
    """The settlement waits for the store, not the application for the settlement."""
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    one = engine(server.url)
    reservation = one.reserve("flying", CALL).reservation
    damaged(server, damage)
    began = time.monotonic()
    assert one.settle(reservation, {"USD": Decimal("0.03")}) is None
    assert time.monotonic() - began < 2
    repaired(server, damage)

    spend(one, "after", "0.1")
    assert Decimal("0.87") == one.remaining(CALL)["shared"]
    one.store.close()


def test_down_store_is_not_waited_for_by_every_call(start_redis):
    """After a failure the store is left alone for a moment; a thousand refusals take no thousand time limits."""
    server = start_redis()
    one = engine(server.url)
    one.outage = Outage(left_alone_s=60)
    spend(one, "before")
    damaged(server, "slow")
    began = time.monotonic()
    for number in range(1000):
        assert "BUDGET_RESERVATION_FAILED" == spend(one, str(number))

    assert time.monotonic() - began < 2
    repaired(server, "slow")
    one.store.close()


def test_reservation_whose_answer_got_lost_is_released(start_redis):
    """The server may have reserved for a call that was refused for want of an answer."""
    server = start_redis()
    one = engine(server.url)
    spend(one, "before")
    damaged(server, "slow")
    assert "BUDGET_RESERVATION_FAILED" == spend(one, "lost")
    repaired(server, "slow")  # the server gets to what was sent to it
    spend(one, "after")

    (counter,) = one.store.counters("shared")
    assert 0 == counter.reserved
    one.store.close()


def test_closing_tells_the_store_what_it_missed(start_redis, caplog):
    """Or says how much it could not tell."""
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    one, other = engine(server.url, OPEN), engine(server.url, OPEN)
    spend(one, "before")
    damaged(server, "down")
    spend(one, "a", "0.3")
    spend(other, "b", "0.3")
    other.close()
    assert "1 settlements could not be told" in caplog.text
    repaired(server, "down")
    one.close()

    (counter,) = one.store.counters("shared")
    assert (400_000_000, 0) == (counter.spent, counter.reserved)
    one.store.close()


def test_flushed_scripts_are_sent_again(start_redis):
    """EVALSHA falls back to EVAL, and nobody notices."""
    server = start_redis()
    one = engine(server.url)
    spend(one, "before")
    client = redis_py.Redis.from_url(server.url)
    client.script_flush()
    client.close()

    assert "ALLOWED" == spend(one, "after")
    assert Decimal("0.8") == one.remaining(CALL)["shared"]
    one.store.close()


def test_emptied_store_is_used_again_once_it_was_rebuilt(start_redis):
    """`genops budgets reconcile` sets the counters; processes that noticed the loss go on by themselves."""
    server = start_redis()
    one = engine(server.url)
    spend(one, "before", "0.4")
    (counter,) = one.store.counters("shared")
    damaged(server, "emptied")
    assert "BUDGET_RESERVATION_FAILED" == spend(one, "during")
    operator = RedisBudgetStore(server.url)
    operator.adjust(counter.key, counter.spent)
    operator.close()
    time.sleep(0.06)

    assert "ALLOWED" == spend(one, "after")
    assert Decimal("0.5") == one.remaining(CALL)["shared"]
    one.store.close()


def test_server_time_is_the_clock(start_redis, monkeypatch):
    """A process whose own clock is a day fast counts in the same window as the others."""
    server = start_redis()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    store = RedisBudgetStore(server.url)

    client = redis_py.Redis.from_url(server.url)
    assert abs(store.clock() - client.time()[0]) < 2
    client.close()
    store.close()


def test_refusal_names_the_store_and_keeps_its_password(start_redis):
    """Messages are read by many."""
    server = start_redis("--requirepass", "hunter2")
    one = engine(server.url.replace("redis://", "redis://:wrong@"))

    with pytest.raises(BudgetBlocked, match="does not answer") as caught:
        one.reserve("a", CALL).raise_if_refused()
    assert "wrong" not in str(caught.value)
    assert "bring the store back" in str(caught.value.fix)
    one.store.close()
    right = engine(server.url.replace("redis://", "redis://:hunter2@"))
    assert "ALLOWED" == spend(right, "a")
    right.store.close()


@pytest.mark.parametrize("url", ["http://localhost", "memcached://x", "sqlite:", "sqlite:///", "redis:6379", ""])
def test_urls_that_are_no_store(url):
    """Say what a store's URL looks like."""
    with pytest.raises(ConfigurationError) as caught:
        open_budget_store(url)
    assert "redis://" in str(caught.value.fix)


def test_sentinel_finds_the_master(start_redis, tmp_path):
    """sentinel://host:port/service asks a sentinel for the master of the service."""
    server = start_redis()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"sentinel monitor budgets 127.0.0.1 {server.port} 1\n")
    sentinel = start_redis(config=config)
    store = open_budget_store(f"sentinel://127.0.0.1:{sentinel.port}/budgets/0", timeout_s=2.0)

    assert () == store.counters()
    store.close()


def test_cluster_takes_all_keys_of_a_namespace(start_redis):
    """Every operation works on a cluster node: the keys share one hash tag."""
    server = start_redis("--cluster-enabled", "yes")
    client = redis_py.Redis.from_url(server.url)
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    deadline = time.monotonic() + 10
    while client.cluster("info")["cluster_state"] != "ok" and time.monotonic() < deadline:
        time.sleep(0.05)
    client.close()
    one = engine(server.url.replace("redis://", "cluster://").removesuffix("/0"))
    one.store._timeout_s = 2.0

    assert ["ALLOWED"] * 3 == [spend(one, str(number)) for number in range(3)]
    assert Decimal("0.7") == one.remaining(CALL)["shared"]
    assert () == one.expire()
    one.store.close()


def test_unreachable_store_raises_its_own_error():
    """And not redis-py's."""
    store = RedisBudgetStore("redis://127.0.0.1:1/0", timeout_s=0.1)

    with pytest.raises(BudgetStoreError, match="does not answer"):
        store.usage(["a||total@0"])
