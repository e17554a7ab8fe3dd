"""genops.yaml: every mistake in it is answered with file, line, the nearest key and what to type."""

from __future__ import annotations

from decimal import Decimal

import pytest

from genops.config.files import parse, read_file
from genops.config.keys import SETTINGS
from genops.config.shapes import Value
from genops.core.errors import ConfigurationError


def read(text: str) -> dict:
    document = parse(text, name="genops.yaml")
    return SETTINGS.read(Value(document.values, document))


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (
            "log_level: info\ntelemetri: {}",
            ":2: unknown key 'telemetri'. Did you mean 'telemetry'?",
            "use enabled, log",
        ),
        ("ledger:\n  dirr: x", ":2: unknown key 'dirr' in ledger. Did you mean 'dir'?", "use enabled, dir"),
        (
            "policies:\n  - name: p\n    deny_models: [x]\n  - name: cap-chat\n    max_costs: 1",
            ":5: unknown key 'max_costs' in policies[1]. Did you mean 'max_cost_per_request'?",
            "use name, match",
        ),
        ("policies:\n  - deny_models: [x]", ":2: policies[0] has no 'name'.", "name: ..."),
        ("policies:\n  - name: p", ":2: policy 'p' has no rule.", "give it allow_models"),
        ("policies:\n  - {name: p, deny_models: x}", ":2: policies[0].deny_models is 'x', expected a list", "[gpt-4*]"),
        ("policies:\n  - {name: p, deny_models: []}", ":2: policies[0].deny_models is an empty list", "[gpt-4*]"),
        ("policies: {name: p}", ":1: policies is a mapping, expected a list.", "policies: [...]"),
        (
            "policies:\n- name: p\n  mode: enforced",
            ":3: policies[0].mode is 'enforced', expected enforce",
            "mode: enforce",
        ),
        ("policies:\n- name: p\n  mode: enforced", "Did you mean 'enforce'?", "mode: enforce"),
        (
            "policies:\n- name: p\n  match:\n    tea: x",
            ":4: unknown key 'tea' in policies[0].match. Did you mean 'team'?",
            "use team",
        ),
        (
            "policies:\n- name: p\n  max_cost_per_request: -1",
            ":3: policies[0].max_cost_per_request is '-1', expected an exact amount",
            'max_cost_per_request: "0.50"',
        ),
        ("attribution:\n  team: [a]", ":2: attribution.team is a list, expected text.", "team: 'search'"),
        ("attribution:\n  team: no", ":2: attribution.team is false, expected text.", "team: 'search'"),
        ("attribution:\n  team: ' '", ":2: attribution.team is empty.", "team: search, or remove the key"),
        ("attribution:\n  team:", ":2: attribution.team is empty, expected text.", "team: 'search'"),
        ("attribution:\n  team: N/A", ":2: attribution.team is 'N/A', a placeholder", "GENOPS_TEAM"),
        ("attribution:\n  session_id: x", ":2: unknown key 'session_id' in attribution.", "use team"),
        ("attribution:\n  tags:\n    tier: 1.5", ":3: attribution.tags.tier is '1.5', expected text.", "tier: 'gold'"),
        ("attribution:\n  tags: x", ":2: attribution.tags is 'x', expected keys with values.", "tags: {key: value}"),
        (
            "attribution:\n  baggage:\n  - teams",
            ":3: attribution.baggage has 'teams'. Did you mean 'team'?",
            "use team",
        ),
        (
            "attribution:\n  rules:\n    cost_center:\n      pattern: '('",
            ":4: '(' is no regular expression",
            "for example pattern",
        ),
        (
            "attribution:\n  rules:\n    custmer_id: {}",
            ":3: unknown key 'custmer_id' in attribution.rules. Did you mean 'customer_id'?",
            "use team",
        ),
        ("ledger:\n  enabled: 'yes'", ":2: ledger.enabled is 'yes', expected true or false.", "enabled: true"),
        ("ledger:\n  retention_days: 0", ":2: ledger.retention_days is '0', expected a whole number of 1", ": 90"),
        ("ledger:\n  dir: 3", ":2: ledger.dir is '3', expected a folder.", "dir: ~/.genops"),
        ("ledger: off", ":1: ledger is false, expected keys with values.", "ledger: {enabled: ...}"),
        ("custom_rates: {a: 1}", ":1: custom_rates is a mapping, expected a list.", "custom_rates: [...]"),
        ("model_aliases: []", ":1: model_aliases is an empty list, expected keys with values.", "{key: value}"),
        ("log_level: loud", ":1: log_level is 'loud', expected debug or info", "log_level: debug"),
        ("log_level: info\nlog_level: info", ":2: key 'log_level' is there already, on line 1.", "keep one"),
        ("log_level: info\n\tledger: {}", ":2: a tab in the indentation; YAML wants spaces.", "two spaces"),
        ("ledger: {dir: x", ":1: not YAML: expected ',' or '}'", "correct line 1"),
        ("ledger: \x00", "genops.yaml: not YAML:", "remove the characters"),
        ("- a\n- b", ":1: the file is a list, expected keys.", "attribution: {team: ...}"),
        ("text", ":1: the file is a single value, expected keys.", "attribution: {team: ...}"),
        ("? [a]\n: b", ":1: a list as a key, expected text.", "key: value"),
        ("? {a: b}\n: b", ":1: a mapping as a key, expected text.", "key: value"),
        ("a: &a {b: c}\nd:\n  <<: *a", ":3: merge keys (<<) are not read.", "write the keys out"),
        ("a: &a\n  b: *a", "more than 20 levels deep.", "remove the anchor"),
        ("discounts:\n- {percent: .inf}", ":2: .inf is no number to be used here.", "quote it: '.inf'"),
        ("discounts:\n- {percent: !!python/object:x 1}", ":2: '1' cannot be read as", "quote it"),
    ],
)
def test_mistake(text, message, fix):
    """The message says where, what was found and what was expected; the fix is something to type."""
    with pytest.raises(ConfigurationError) as refused:
        read(text)
    assert str(refused.value).startswith("genops.yaml")
    assert message in str(refused.value)
    assert fix in str(refused.value.fix)


def test_numbers_are_exact_and_dates_are_text():
    """No value becomes a float or a date on its way."""
    rate = read("custom_rates:\n- {usd: 0.1, from: 2026-11-01, per: 1_000, note: 1.10}")["custom_rates"][0]
    assert rate == {"usd": Decimal("0.1"), "from": "2026-11-01", "per": 1000, "note": Decimal("1.10")}


def test_a_whole_number_as_text_is_taken_as_written():
    """A cost center with leading zeros keeps them, though YAML reads it as octal."""
    read_back = read("attribution: {cost_center: 0042, tags: {build: 007}}")["attribution"]
    assert read_back == {"cost_center": "0042", "tags": {"build": "007"}}


def test_an_empty_file_and_empty_tables_are_fine():
    """Leaving everything commented out is allowed."""
    assert read("# nothing\n") == {}
    assert read("ledger:\nattribution:\n  rules:\n") == {"ledger": {}, "attribution": {"rules": {}}}


def test_one_name_needs_no_brackets_in_match():
    """match takes a value or a list of values."""
    (policy,) = read("policies: [{name: p, match: {team: a, customer_id: [1, b]}, deny_models: [x]}]")["policies"]
    assert policy.match == {"team": ("a",), "customer_id": ("1", "b")}


def test_anchors_may_be_used():
    """Repeating a block through an anchor is ordinary YAML."""
    text = "policies:\n- {name: a, deny_models: &m [x]}\n- {name: b, deny_models: *m}\n"
    assert [policy.deny_models for policy in read(text)["policies"]] == [("x",), ("x",)]


def test_a_file_that_is_no_text_or_cannot_be_read_says_so(tmp_path):
    """Bytes that are not UTF-8, and a folder in place of the file, are told apart."""
    path = tmp_path / "genops.yaml"
    path.write_bytes(b"team: \xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        read_file(path)
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*\n  fix: ls -l"):
        read_file(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    """Editors that write one do no harm."""
    path = tmp_path / "genops.yaml"
    path.write_bytes(b"\xef\xbb\xbflog_level: info\n")
    assert read_file(path).values == {"log_level": "info"}
