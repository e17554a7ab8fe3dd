"""The URL of a page says what it is about, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core.errors import ConfigurationError
from genops.server.dashboard.selection import FILTERS, GROUPS, PERIODS, Selection, read_selection

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def read(query: str) -> Selection:
    return read_selection(parse_qsl(query.removeprefix("?"), keep_blank_values=True), now=NOW)


def test_a_url_reads_as_it_looks() -> None:
    """Period, filters and grouping are plain keys; a repeated column means any of its values."""
    selection = read("?period=24h&team=search&team=growth&model=gpt-4o&by=customer_id")

    assert (("team", "search"), ("team", "growth"), ("model", "gpt-4o")) == selection.where
    assert (NOW - timedelta(hours=24), None) == (selection.since, selection.until)
    assert ("customer_id",) == selection.by


def test_an_empty_value_is_one_that_nobody_stated() -> None:
    """No attribute of a call is ever empty, so the empty text is free to mean that."""
    assert (("team", None),) == read("?team=").where


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
columns = st.one_of(st.sampled_from(FILTERS), st.text("abcxyz.", min_size=1, max_size=5).map("tag:{}".format))


@given(
    where=st.lists(st.tuples(columns, st.one_of(st.none(), texts.filter(bool))), max_size=4, unique=True),
    by=st.lists(st.sampled_from(GROUPS), max_size=3, unique=True),
    period=st.sampled_from(tuple(PERIODS)),
)
def test_what_a_selection_writes_reads_back(where: list[tuple[str, str | None]], by: list[str], period: str) -> None:
    """Whatever the values hold, the URL of a selection leads back to it."""
    selection = read_selection([("period", period)], now=NOW).only(where).grouped(by)

    assert selection == read(selection.query())


def test_a_day_as_the_end_is_included() -> None:
    """`until=2026-11-24` means until the end of that day."""
    selection = read("?since=2026-11-20&until=2026-11-24")

    assert (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)) == (
        selection.since,
        selection.until,
    )


def test_the_period_before_has_the_same_length_and_filters() -> None:
    """What a change is compared with ends where the selected period starts."""
    before = read("?period=24h&team=search").before

    assert before is not None
    assert (NOW - timedelta(hours=48), NOW - timedelta(hours=24)) == (before.since, before.until)
    assert (("team", "search"),) == before.where
    assert read("?period=all").before is None


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("?teem=search", "team"),
        ("?by=modle", "model"),
        ("?period=8d", "7d"),
        ("?since=yesterday", "2026-11-23"),
        ("?since=99999999999", "2026-11-23"),
    ],
)
def test_what_means_nothing_is_refused_with_a_hint(query: str, hint: str) -> None:
    """A typo in a URL is answered, not ignored: an unfiltered page would be a wrong one."""
    with pytest.raises(ConfigurationError) as refused:
        read(query)

    assert hint in f"{refused.value.message} {refused.value.fix}"


@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (timedelta(minutes=4), "minute"),
        (timedelta(hours=30), "hour"),
        (timedelta(days=6, hours=20), "hour"),
    ],
)
def test_buckets_follow_the_age_of_the_first_call(age: timedelta, bucket: str) -> None:
    """A week of which only the last minutes have calls is drawn by the minute."""
    selection = read("?period=7d")

    assert bucket == selection.bucket(NOW - age)
    assert NOW - age == selection.start(NOW - age)


def test_long_periods_have_wide_buckets() -> None:
    """Days for a quarter, weeks for years."""
    assert "day" == read("?period=90d").bucket(NOW - timedelta(days=400))
    assert "week" == read("?period=all").bucket(NOW - timedelta(days=900))
