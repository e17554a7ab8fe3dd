"""The boundary: our faults stop at it and are counted; refusals and cancellation pass."""

from __future__ import annotations

import asyncio
import logging

import pytest

from genops.core._guarding import contained, error_count, never_raises
from genops.core.errors import PolicyBlocked

LOG = logging.getLogger("genops.test")


@never_raises
def run(error: BaseException | None = None) -> str:
    if error is not None:
        raise error
    return "done"


@never_raises
async def arun(error: BaseException | None = None) -> str:
    if error is not None:
        raise error
    return "done"


async def test_what_works_returns_what_it_returns():
    """The boundary changes nothing about a function without fault."""
    before = error_count()
    assert ("done", "done", before) == (run(), await arun(), error_count())


async def test_a_fault_gives_none_is_counted_and_logged_with_its_traceback(caplog):
    """The application sees None; we see the fault at debug, under our module's name."""
    before = error_count()
    with caplog.at_level(logging.DEBUG):
        assert run(KeyError("x")) is None
        assert await arun(KeyError("y")) is None
    assert before + 2 == error_count()
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2
    assert {__name__} == {record.name for record in caplog.records}
    assert all(record.exc_info and record.exc_info[0] is KeyError for record in caplog.records)


@pytest.mark.parametrize(
    "error",
    [PolicyBlocked("no", reason_code="x_no", rule="r"), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=repr,
)
async def test_refusals_and_cancellation_pass(error):
    """What is not a fault of ours reaches the application, uncounted."""
    before = error_count()
    with pytest.raises(type(error)):
        run(error)
    with pytest.raises(type(error)):
        await arun(error)
    with pytest.raises(type(error)), contained(LOG, "work"):
        raise error
    assert before == error_count()


def test_a_contained_block_ends_at_its_first_fault(caplog):
    """The block form counts and logs as the decorator does."""
    before, reached = error_count(), False
    with caplog.at_level(logging.DEBUG), contained(LOG, "reading the region"):
        int("x")
        reached = True
    assert not reached
    assert before + 1 == error_count()
    assert "reading the region failed inside genops" in caplog.text
    assert "invalid literal" in caplog.text
