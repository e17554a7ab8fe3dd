"""What is found and what is not: the vectors, odd input, overlaps, worst cases."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genops.core.errors import ConfigurationError
from genops.core.redaction import Find, Kind, Redactor, Rule, Rules

ROOT = Path(__file__).parents[3]
REDACTOR = Redactor()
CASES = [
    pytest.param(case, id=f"{path.stem}-{number}")
    for path in (ROOT / "spec/vectors/redaction" / name for name in ("negatives.json", "personal.json", "secrets.json"))
    for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))["cases"])
]
NEGATIVES = [
    *(
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "4006381333931",
        "1700000000123",
    ),
    *(
        "978-3-16-148410-0",
        "2026-11-23",
        "23/11/2026 12:30",
        "version 1.2.3.4",
        "48.858370, 2.294481",
        "12 345 678 rows",
    ),
    *(
        "4111 1111 1111 1112",
        "666-12-3456",
        "12345678A",
        "image@2x.png",
        "127.0.0.1",
        "std::vector",
        "00:1b:44:11:3a:b7",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, object]) -> None:
    """Each text of the vectors has the finds and the redacted text that they state, in any implementation."""
    text = str(case["text"])
    finds = [{"start": f.start, "end": f.end, "entity": f.entity, "rule": f.rule} for f in REDACTOR.find(text)]

    assert (case["finds"], case["redacted"]) == (finds, REDACTOR.redact(text).text)


def test_agreement_vector_is_what_python_finds() -> None:
    """spec/vectors/redaction/agreement.json, which Go must agree with, is what Python finds today, by every rule."""
    tool = ROOT / "tools/build_redaction_vectors.py"
    found = json.loads((ROOT / "spec/vectors/redaction/agreement.json").read_text(encoding="utf-8"))["cases"]

    assert 0 == subprocess.run([sys.executable, str(tool), "--check"], check=False).returncode
    assert {rule.id for rule in Rules.default().rules} == {find[3] for case in found for find in case["finds"]}


@pytest.mark.parametrize("text", NEGATIVES)
def test_look_alike_is_left_alone(text: str) -> None:
    """A number that only looks like personal data stays."""
    assert [] == REDACTOR.find(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_any_text_is_taken(text: str) -> None:
    """Lone surrogates, NUL, right-to-left: nothing raises, finds are in order, inside the text and apart."""
    finds = REDACTOR.find(text)
    places = [place for find in finds for place in (find.start, find.end)]

    assert places == sorted(places)
    assert all(0 <= find.start < find.end <= len(text) for find in finds)


@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from("aé日😀\ud800\x00 "), max_size=30))
def test_positions_are_in_characters(lead: str) -> None:
    """What stands before a find does not move it, however many bytes it has."""
    finds = REDACTOR.find(f"{lead} a.person@example.com")

    assert [Find(len(lead) + 1, len(lead) + 21, "EMAIL", "email")] == finds


@pytest.mark.parametrize(
    "unit",
    ["a", "1", " ", "\x00", "=", "@", "a@", "1 ", "key=", "é", "-----BEGIN PRIVATE KEY-----", "eyJ.", "x:", "+1"],
)
def test_time_is_linear(unit: str) -> None:
    """300 kB of one thing is done in time that no quadratic scan would hold."""
    text = unit * (300_000 // len(unit))
    started = time.process_time()
    REDACTOR.find(text)

    assert time.process_time() - started < 6


def test_redacting_again_changes_nothing() -> None:
    """Labels are not found."""
    text = "password is hunter2x, api_key = 'h38Fk2lQ9zXc7VbN4mWs' mail a@example.com"
    once = REDACTOR.redact(text).text

    assert once == REDACTOR.redact(once).text


def test_the_more_specific_rule_names_a_find() -> None:
    """A vendor's key under a telling name is the vendor's."""
    finds = REDACTOR.find('token = "ghp_p04fwsz1tu1i7zbem1a6zl6jmkvapysnfimz"')

    assert [("API_KEY", "github")] == [(find.entity, find.rule) for find in finds]


def test_custom_rules_and_their_mistakes() -> None:
    """A pattern of the user's own is found; one that RE2 does not take, or a doubled name, is refused with a fix."""
    rule = Rule("ticket", "TICKET", r"\bTCK-[0-9]{6}\b")

    assert "see [TICKET]" == Redactor(custom=[rule]).redact("see TCK-123456").text
    with pytest.raises(ConfigurationError, match=r"'bad' is not RE2.*\n  fix: "):
        Redactor(custom=[Rule("bad", "X", r"(?<=a)b")])
    with pytest.raises(ConfigurationError, match=r"'email' exists already"):
        Redactor(custom=[Rule("email", "X", "x")])
    with pytest.raises(ConfigurationError, match=r"no validator 'luhm'. Did you mean 'luhn'"):
        Redactor(custom=[Rule("card2", "X", "x", validate="luhm")])


def test_a_custom_secret_is_a_secret() -> None:
    """The kind of a new entity is that of its rule."""
    assert (
        Kind.SECRET
        is Rules.default().extended([Rule("k", "HOUSE_KEY", "hk_[0-9]+", Kind.SECRET)]).entities["HOUSE_KEY"]
    )


def test_the_set_and_the_single_patterns_agree() -> None:
    """No rule matches a text that the set passes over, whatever is in it."""
    scanner = REDACTOR._scanner
    texts = [str(case.values[0]["text"]) for case in CASES]  # type: ignore[index]
    for text in [*texts, " ".join(texts), "x" * 5000 + " ".join(texts)]:
        data = text.encode()
        matching = set(scanner._set.Match(data) or ())
        assert matching >= {i for i, rule in enumerate(scanner._rules) if rule._pattern.search(data) is not None}


def test_the_compiled_rules_are_those_of_the_spec() -> None:
    """The data file is built from spec/redaction/rules.yaml."""
    check = subprocess.run([sys.executable, "tools/build_redaction_rules.py", "--check"], cwd=ROOT, check=False)

    assert 0 == check.returncode
