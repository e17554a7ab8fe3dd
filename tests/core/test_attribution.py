"""Attribution: which source wins, and how long and how far a context reaches."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core import attribution as subject
from genops.core.attribution import (
    ATTRIBUTION_FIELDS,
    Attribution,
    AttributionSources,
    attribution,
    clear_context,
    current,
    get_context,
    propagate,
    set_base,
    set_context,
    set_default_attributes,
    split_call_attributes,
)
from genops.core.attribution_values import fix_for, missing_required, normalise
from genops.core.errors import ConfigurationError

VECTORS = Path(__file__).parents[2] / "spec" / "vectors" / "attribution" / "precedence.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
LEVELS = ("derived", "default", "file", "environment", "baggage", "context", "call")


@pytest.fixture(autouse=True)
def fresh():
    """Each test starts and ends without sources, context and given warnings."""
    subject.reset()
    yield
    subject.reset()


def resolve(sources: dict) -> Attribution:
    """Give every source what it says, through the public functions, and make a call."""
    base = {level: normalise(sources.get(level, {})) for level in ("derived", "file", "environment")}
    set_base(AttributionSources(**base))
    set_default_attributes(**sources.get("default", {}))
    baggage = sources.get("baggage")
    subject.read_incoming_with((lambda: baggage) if baggage else None)
    with ExitStack() as stack:
        for block in sources.get("context", []):
            stack.enter_context(attribution(**block))
        return current(sources.get("call"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vector(case):
    """Every recorded combination of sources gives the recorded attribution."""
    assert Attribution(**case["expect"]) == resolve(case["sources"])


@given(
    values=st.fixed_dictionaries(
        {level: st.dictionaries(st.sampled_from(ATTRIBUTION_FIELDS), st.sampled_from("abc")) for level in LEVELS}
    )
)
def test_each_field_comes_from_its_highest_source(values):
    """Whatever the sources say, each field has the value of the highest source that mentions it."""
    subject.reset()
    expected = {}
    for level in LEVELS:
        expected |= values[level]

    resolved = resolve({**values, "context": [values["context"]]})

    assert Attribution(**expected) == resolved


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_blocks_nest_and_end():
    """The inner block wins, and each block's end brings back what was before."""
    with attribution(team="outer", feature="f"):
        with attribution(team="inner"):
            assert Attribution(team="inner", feature="f") == current()
        assert Attribution(team="outer", feature="f") == current()
    assert Attribution() == current()


def test_a_block_ends_after_an_exception():
    """An exception passes through a block and leaves nothing behind."""
    with pytest.raises(ZeroDivisionError), attribution(team="x"):
        1 / 0  # noqa: B018
    assert Attribution() == current()


def test_nothing_changed_gives_the_same_object():
    """A snapshot is merged once, not per call."""
    with attribution(team="x"):
        assert current() is current()


def test_a_changed_base_reaches_open_blocks():
    """Defaults that are set while a block is open apply inside it."""
    with attribution(team="x"):
        assert current().project is None
        set_default_attributes(project="late")
        assert current().project == "late"


def test_one_object_serves_many_blocks_at_once():
    """The same attribution object may be entered inside itself."""
    block = attribution(team="x")
    with block, block:
        assert current().team == "x"
    assert current().team is None


def test_set_context_lasts_until_its_block_ends():
    """What is set inside a block goes with the block."""
    with attribution(team="x"):
        set_context(feature="f")
        assert Attribution(team="x", feature="f") == current()
    assert Attribution() == current()


def test_set_context_outside_a_block_lasts_until_cleared():
    """Outside a block, set_context adds up until clear_context; defaults stay."""
    set_default_attributes(team="d")
    set_context(project="p")
    set_context(feature="f")
    assert Attribution(team="d", project="p", feature="f") == current()
    clear_context()
    assert Attribution(team="d") == current()


def test_clearing_inside_a_block_does_not_upset_its_end():
    """A block whose context was cleared ends quietly."""
    with attribution(team="x"):
        clear_context()
        assert current().team is None
    assert current().team is None


def test_overlapping_blocks_end_in_any_order():
    """A block that ends while a later one is open takes only its own attributes away."""
    first, second = attribution(team="first", feature="f"), attribution(team="second")
    first.__enter__()
    second.__enter__()
    set_context(session_id="s")
    first.__exit__(None, None, None)
    assert Attribution(team="second", session_id="s") == current()
    second.__exit__(None, None, None)
    assert Attribution() == current()


def test_a_block_may_end_in_another_context():
    """A block entered in one context and left in another raises nothing and leaks nothing."""
    block = attribution(team="x")
    elsewhere = contextvars.copy_context()
    elsewhere.run(block.__enter__)

    block.__exit__(None, None, None)

    assert current().team is None


def test_get_context_is_a_copy():
    """Changing the tags of what get_context gives changes no call."""
    with attribution(tags={"tier": "gold"}):
        get_context().tags["tier"] = "lead"  # type: ignore[index]
        assert current().tags == {"tier": "gold"}


# -- tasks, threads, generators ----------------------------------------------------------------------------------------


async def test_tasks_do_not_see_one_another():
    """Concurrent tasks each keep their own attribution across awaits."""

    async def work(team: str) -> str | None:
        async with attribution(team=team):
            await asyncio.sleep(0)
            return current().team

    assert await asyncio.gather(work("a"), work("b"), work("c")) == ["a", "b", "c"]
    assert current().team is None


async def test_a_task_keeps_the_context_it_was_started_in():
    """A task that outlives the block in which it was started stays attributed."""
    started = asyncio.Event()

    async def work() -> str | None:
        await started.wait()
        return current().team

    with attribution(team="x"):
        task = asyncio.create_task(work())
    started.set()
    assert await task == "x"


def test_propagate_carries_the_context_into_threads():
    """A plain thread starts without the context; one through propagate has it, many at once."""
    barrier = threading.Barrier(4, timeout=10)

    def together() -> str | None:
        barrier.wait()
        return current().team

    with attribution(team="x"):
        bound = propagate(together)
    with ThreadPoolExecutor(4) as pool:
        assert [each.result() for each in [pool.submit(bound) for _ in range(4)]] == ["x"] * 4
        assert pool.submit(lambda: current().team).result() is None


def test_what_a_propagated_function_sets_stays_there():
    """A function run through propagate changes neither its caller's context nor its own next run."""

    def run() -> str | None:
        before = current().feature
        set_context(feature="inside")
        return before

    bound = propagate(run)
    assert [bound(), bound()] == [None, None]
    assert current().feature is None


def test_decorated_function():
    """A decorated function runs inside the block and keeps its name."""

    @attribution(team="x")
    def named(value: int) -> tuple[str | None, int]:
        return current().team, value

    assert named(3) == ("x", 3)
    assert named.__name__ == "named"
    assert current().team is None


async def test_decorated_coroutine_function():
    """A decorated coroutine function stays one, and runs inside the block."""

    @attribution(team="x")
    async def work() -> str | None:
        await asyncio.sleep(0)
        return current().team

    assert inspect.iscoroutinefunction(work)
    assert await work() == "x"
    assert current().team is None


def test_decorated_generator_is_inside_only_while_it_runs():
    """Between two items the consumer has its own attribution, the generator keeps its own."""

    @attribution(team="inside")
    def items():
        received = yield current().team
        try:
            yield received
        except KeyError:
            yield "caught"
        return current().team

    assert inspect.isgeneratorfunction(items)
    generator = items()
    with attribution(team="outside"):
        assert next(generator) == "inside"
        assert current().team == "outside"
        assert generator.send("sent") == "sent"
        assert generator.throw(KeyError()) == "caught"
        assert current().team == "outside"
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == "inside"


def test_closing_a_decorated_generator_runs_its_cleanup_inside():
    """close() reaches the generator, inside the block."""
    seen = []

    @attribution(team="x")
    def items():
        try:
            yield 1
        finally:
            seen.append(current().team)

    generator = items()
    next(generator)
    generator.close()
    assert seen == ["x"]
    assert current().team is None


async def test_decorated_async_generator_is_inside_only_while_it_runs():
    """Async generators: items, asend, athrow and aclose all work, inside the block."""
    seen = []

    @attribution(team="inside")
    async def items():
        try:
            received = yield current().team
            try:
                yield received
            except KeyError:
                yield "caught"
        finally:
            await asyncio.sleep(0)
            seen.append(current().team)

    assert inspect.isasyncgenfunction(items)
    generator = items()
    assert await anext(generator) == "inside"
    assert current().team is None
    assert await generator.asend("sent") == "sent"
    assert await generator.athrow(KeyError()) == "caught"
    await generator.aclose()
    assert seen == ["inside"]
    assert current().team is None


async def test_decorated_async_generator_ends():
    """An async generator that runs out ends the loop."""

    @attribution(team="x")
    async def items():
        yield 1
        yield 2

    assert [item async for item in items()] == [1, 2]


# -- arguments and values ----------------------------------------------------------------------------------------------


def test_split_takes_only_our_names():
    """Governance attributes are separated from the vendor's arguments, which stay untouched."""
    kwargs = {"model": "m", "team": "x", "tags": {"a": "b"}}
    assert split_call_attributes(kwargs) == ({"team": "x", "tags": {"a": "b"}}, {"model": "m"})
    assert "team" in kwargs


def test_split_of_nothing_returns_the_same_arguments():
    """A call without governance attributes costs no copy."""
    kwargs = {"model": "m"}
    assert split_call_attributes(kwargs)[1] is kwargs


def test_an_unknown_attribute_is_refused_with_the_nearest_name():
    """A misspelt attribute raises where it is written, and says what to type."""
    with pytest.raises(ConfigurationError) as refused:
        attribution(custmer_id="acme")
    assert "unknown governance attribute 'custmer_id'. Did you mean 'customer_id'?" in str(refused.value)
    assert "fix: use one of team, project, environment, customer_id" in str(refused.value)
    assert "tags={'custmer_id': ...}" in str(refused.value)


@pytest.mark.parametrize("value", [["a"], {"a": 1}, 1.5, True, object()], ids=lambda value: type(value).__name__)
def test_a_value_that_is_no_text_is_refused(value):
    """A list, a float or an object as a value is a mistake in the program."""
    with pytest.raises(ConfigurationError, match="expected text"):
        attribution(team=value)


def test_a_uuid_is_text():
    """Identifiers from databases need no conversion."""
    number = uuid.UUID(int=7)
    assert current({"customer_id": number}).customer_id == str(number)


@pytest.mark.parametrize(
    ("tags", "message"),
    [("gold", "expected a mapping"), ({1: "x"}, "a tag is named 1"), ({"a": [1]}, r"tags\['a'\] is")],
)
def test_tags_that_are_none_are_refused(tags, message):
    """tags must be a mapping of text to text."""
    with pytest.raises(ConfigurationError, match=message):
        set_context(tags=tags)


def test_a_placeholder_is_ignored_with_one_warning(caplog):
    """Bad data does not break the call: the value is dropped, and said so once."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert current({"team": "unknown"}).team is None
    assert len(caplog.records) == 1
    assert "team is 'unknown', a placeholder, and was ignored." in caplog.text
    assert "fix: genops.attribution(team=...)" in caplog.text
    assert "GENOPS_TEAM=..." in caplog.text


def test_missing_required_names_what_the_specification_requires():
    """team, project and environment are required on every call."""
    assert missing_required(Attribution(project="p")) == ("team", "environment")
    assert missing_required(Attribution(team="t", project="p", environment="e")) == ()


def test_the_fix_names_only_variables_that_exist():
    """There is no variable for a session."""
    assert "GENOPS_COST_CENTER" in fix_for("cost_center")
    assert "GENOPS_SESSION_ID" not in fix_for("session_id")


def test_default_tags_add_up():
    """Setting one default tag leaves the others; a tag without a value is none."""
    set_default_attributes(tags={"site": "a", "tier": "gold"})
    set_default_attributes(tags={"tier": "iron", "run": None})
    assert current().tags == {"site": "a", "tier": "iron"}


def test_setting_nothing_changes_nothing():
    """set_context with no value given leaves the context as it is."""
    with attribution(team="x"):
        before = current()
        set_context(feature=None)
        assert current() is before


def test_a_blank_tag_is_left_out_with_a_warning(caplog):
    """The warning names the tag, and how to leave it out."""
    with caplog.at_level(logging.WARNING):
        assert current({"tags": {"tier": " "}}).tags == {}
    assert "tags['tier'] is empty, and was ignored.\n  fix: genops.attribution(tags={...}), without" in caplog.text


# -- derived values ----------------------------------------------------------------------------------------------------

DERIVED = AttributionSources(derived={"team": "root"}, origins={"team": "the login name"})


def test_a_derived_value_is_announced_once(caplog):
    """The first call that carries a derived value says so, with its origin and the fix."""
    set_base(DERIVED)
    with caplog.at_level(logging.WARNING):
        current()
        current()
    assert len(caplog.records) == 1
    assert "team is not set; using 'root' (the login name).\n  fix: genops.attribution(team=...)" in caplog.text


@pytest.mark.parametrize("where", ["default", "block", "call"])
def test_a_value_that_is_given_is_not_announced(where, caplog):
    """Who names the team in any way hears nothing, even if it is the derived one."""
    set_base(DERIVED)
    if where == "default":
        set_default_attributes(team="root")
    with caplog.at_level(logging.WARNING), attribution(**{"team": "root"} if where == "block" else {}):
        assert current({"team": "root"} if where == "call" else None).team == "root"
    assert caplog.records == []
