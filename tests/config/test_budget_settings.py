"""The budgets of genops.yaml: what is read, and what is said about mistakes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.config.budgets import (
    BUDGETS_SCHEMA,
    RATE_LIMITS_SCHEMA,
    BudgetSettings,
    budget_settings,
    parse_budgets,
    parse_rate_limits,
)
from genops.config.files import parse
from genops.config.settings import load
from genops.core.budgets.model import Budget, BudgetMode, Estimator, OnStoreError, OnUnpriced
from genops.core.budgets.windows import Window, WindowKind
from genops.core.errors import ConfigurationError

FILE = """\
budgets:
  - name: org
    limit: 5000
  - name: team-monthly
    match: {team: [search, ads], model: gpt-4*, tag.tier: gold}
    group_by: team
    limit: 500.25
    unit: EUR
    window: {every: month, time_zone: Europe/Berlin, anchor_day: 15}
    mode: soft
    thresholds: [120, 50]
    on_unpriced: 0.05
    estimator: adaptive
  - name: tokens-a-day
    limit: 1000000
    unit: tokens
    window: {rolling: 24h, buckets: 24}
    on_store_error: local_allowance
    slice: 1000
    on_unpriced: warn
  - {name: in-flight, limit: 4, unit: concurrent}
"""


def read(text: str) -> tuple[Budget, ...]:
    document = parse(text, name="genops.yaml")
    return parse_budgets(document.values["budgets"], document)


def test_budgets_are_read_as_written():
    """Amounts exactly, words as enums, and each with the line it stands on."""
    org, team, tokens, flying = read(FILE)

    assert Budget(name="org", limit=Decimal(5000), source="genops.yaml:2") == org
    assert (
        Budget(
            name="team-monthly",
            match={"team": ("search", "ads"), "model": ("gpt-4*",), "tag.tier": ("gold",)},
            group_by=("team",),
            limit=Decimal("500.25"),
            unit="EUR",
            window=Window(time_zone="Europe/Berlin", anchor_day=15),
            mode=BudgetMode.SOFT,
            thresholds=(50, 120),
            on_unpriced=Decimal("0.05"),
            on_store_error=OnStoreError.FAIL_OPEN,
            estimator=Estimator.ADAPTIVE,
            source="genops.yaml:4",
        )
        == team
    )
    assert (OnUnpriced.WARN, Decimal(1000)) == (tokens.on_unpriced, tokens.slice)
    assert Window(kind=WindowKind.ROLLING, length_s=86_400, buckets=24) == tokens.window
    assert WindowKind.TOTAL is flying.window.kind


def test_rate_limits_are_budgets_that_make_wait():
    """Over a rolling minute unless it says otherwise; calls in flight have no window."""
    calls, tokens, flying = parse_rate_limits(
        [
            {"name": "calls", "limit": 60, "group_by": ["team", "model"]},
            {"name": "tokens", "limit": 100_000, "unit": "tokens", "per": "10s", "on_store_error": "fail_closed"},
            {"name": "flying", "limit": 4, "unit": "concurrent", "match": {"provider": "openai"}},
        ],
        "genops.yaml",
    )

    assert (True, 60, "requests") == (calls.rate, calls.window.length_s, calls.unit)
    assert (10, OnStoreError.FAIL_CLOSED) == (tokens.window.length_s, tokens.on_store_error)
    assert (WindowKind.TOTAL, {"provider": ("openai",)}) == (flying.window.kind, flying.match)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("limt: 5", "genops.yaml:3: unknown key 'limt' in budgets[0]. Did you mean 'limit'?"),
        ("unit: usd", "genops.yaml:3: budgets[0].unit is 'usd', no unit. Did you mean 'USD'?"),
        ("match: {taem: search}", "genops.yaml:3: 'taem' is no field of a call. Did you mean 'team'?"),
        ("match: search", "genops.yaml:3: budgets[0].match is 'search', expected fields with patterns."),
        ("group_by: [customer]", "genops.yaml:3: 'customer' is no field of a call. Did you mean 'customer_id'?"),
        ("window: monthly", "genops.yaml:3: budgets[0].window is 'monthly', expected hour or day"),
        ("window: {every: month, buckets: 3}", "genops.yaml:3: buckets has no meaning for a calendar window."),
        ("window: {time_zone: UTC}", "genops.yaml:3: budgets[0].window has to say either every or rolling."),
        ("window: {every: day, time_zone: Berlin}", "genops.yaml:3: time zone 'Berlin' is not known here."),
        ("window: {rolling: 1 day}", "genops.yaml:3: budgets[0].window.rolling is '1 day', expected a length of time."),
        ("mode: hart", "genops.yaml:3: budgets[0].mode is 'hart', expected hard or soft. Did you mean 'hard'?"),
        ("thresholds: [0.5]", "expected a whole number of 1 or more"),
        ("on_unpriced: refuse", "genops.yaml:3: budgets[0].on_unpriced is 'refuse'."),
        (
            "on_store_error: local_allowance",
            "genops.yaml:2: budget 'a' has on_store_error: local_allowance and no slice.",
        ),
        ("slice: 9", "genops.yaml:2: budget 'a' has a slice of 9; its limit is 5."),
    ],
)
def test_mistakes_are_named_with_their_line(line, message):
    """What is wrong, where, and what to type."""
    with pytest.raises(ConfigurationError) as caught:
        read(f"budgets:\n  - name: a\n    {line}\n    limit: 5\n")
    assert message in str(caught.value)
    assert caught.value.fix


def test_limit_and_name_are_required_and_names_are_unique():
    """A budget without a limit limits nothing."""
    with pytest.raises(ConfigurationError, match=r"budgets\[0\] has no 'limit'"):
        parse_budgets([{"name": "a"}])
    with pytest.raises(ConfigurationError, match="budget 'a' is there already"):
        parse_budgets([{"name": "a", "limit": 1}, {"name": "a", "limit": 2}])


def test_schema_takes_what_is_read():
    """The published form of the same list."""
    jsonschema.validate(
        [
            {"name": "a", "limit": 5, "window": {"rolling": "24h"}, "on_unpriced": "0.05", "match": {"tag.x": "y"}},
            {"name": "b", "limit": "5.5", "window": "month", "unit": "EUR", "group_by": ["team"]},
        ],
        BUDGETS_SCHEMA,
    )
    jsonschema.validate([{"name": "a", "limit": 5, "per": "10s"}], RATE_LIMITS_SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"name": "a", "limit": 5, "window": "monthly"}], BUDGETS_SCHEMA)


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=8)
    | st.sampled_from(["month", "USD", "24h"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["every", "rolling", "team"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_KEYS = st.sampled_from(sorted(BUDGETS_SCHEMA["items"]["properties"]))


_SOME = st.fixed_dictionaries(
    {"name": st.just("a"), "limit": st.integers(-5, 10**20)}, optional={"unit": _ANY, "window": _ANY}
)


@given(st.lists(st.dictionaries(_KEYS | st.text(max_size=4), _ANY, max_size=6) | _SOME, max_size=3) | _ANY)
def test_anything_is_read_or_refused_clearly(given_value):
    """No value of a file leads to another exception than the one with a fix."""
    for read_as in (parse_budgets, parse_rate_limits):
        said = refusal(lambda read_as=read_as: read_as(given_value, "genops.yaml"))
        assert said is None or (said.message.startswith("genops.yaml") and said.fix)


def refusal(read_it) -> ConfigurationError | None:
    try:
        read_it()
    except ConfigurationError as error:
        return error
    return None


@pytest.mark.parametrize("key", ["limit", "slice", "on_unpriced"])
def test_amounts_no_counter_holds_are_named_with_their_budget(key):
    """2^53 nano-units are the most."""
    with pytest.raises(ConfigurationError, match=r"^genops.yaml:2: budget 'a': 99999999 USD is more than one counter"):
        read(f"budgets:\n  - name: a\n    {key}: 99999999\n" + ("" if key == "limit" else "    limit: 5\n"))


def test_whole_file_is_read():
    """Budgets, rate limits and the store; names are unique over both lists."""
    found = budget_settings(
        parse(FILE + "rate_limits: [{name: calls, limit: 5}]\nbudget_store: {url: memory}\n", name="f")
    )

    assert (5, "memory", "default") == (len(found.budgets), found.store, found.namespace)
    assert BudgetSettings() == budget_settings(parse("", name="f"))
    with pytest.raises(ConfigurationError, match="f:5: budget 'org' is there already"):
        budget_settings(parse("budgets:\n- name: org\n  limit: 1\nrate_limits:\n- name: org\n  limit: 5\n", name="f"))


def test_budgets_of_the_arguments_are_in_force(tmp_path):
    """`configure(budgets=...)` limits; a list in the file replaces that of the arguments, key by key."""
    arguments = {"budgets": [{"name": "org", "limit": 1}], "rate_limits": [{"name": "pace", "limit": 5, "per": "1m"}]}
    (tmp_path / "genops.yaml").write_text("budgets:\n- {name: team, limit: 2}\n")

    alone = load(arguments, environ={}, cwd=tmp_path / "elsewhere").budgets.budgets
    over = load(arguments, environ={}, cwd=tmp_path).budgets.budgets
    assert [("org", "genops.configure()"), ("pace", "genops.configure()")] == [(b.name, b.source) for b in alone]
    assert ["team", "pace"] == [budget.name for budget in over]


def test_a_mistake_in_an_argument_is_said():
    """The message names the function where it would name the file."""
    with pytest.raises(ConfigurationError, match=r"genops\.configure\(\)"):
        load({"budgets": [{"name": "org", "limits": 1}]}, environ={}, cwd=Path("/"))
