"""What happens to a find: actions, nested values, tokens, detectors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

import pytest

from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.redaction import Find, PhoneNumbers, Redacted, Redactor, Vault

TEXT = "mail jane@example.com"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("allow", TEXT),
        ("label", "mail [EMAIL]"),
        ("mask", "mail ****.com"),
        ("hash", "mail [EMAIL:ae8d2e9a0b1c]"),
        ("drop", "mail "),
        ("block", "mail [EMAIL]"),
    ],
)
def test_action(action: str, expected: str) -> None:
    """Each action does what its name says; a block also says so, and still shows no value."""
    done = Redactor(actions={"EMAIL": action}, key=b"k" * 16).redact(TEXT)
    if action == "hash":
        assert done.text.startswith("mail [EMAIL:")
        assert len("mail [EMAIL:") + 13 == len(done.text)
    else:
        assert expected == done.text
    assert (action == "block", {} if action == "allow" else {"EMAIL": 1}) == (done.blocked, done.counts)


def test_an_entity_goes_before_its_kind() -> None:
    """`personal: drop` with `IP: allow` lets addresses be."""
    redactor = Redactor(actions={"personal": "drop", "IP": "allow"})

    assert " 8.8.4.14" == redactor.redact("a@example.com 8.8.4.14").text


def test_a_hash_joins_and_depends_on_its_key() -> None:
    """One value has one hash under one key."""
    one, other = (Redactor(actions={"EMAIL": "hash"}, key=key) for key in (b"a" * 16, b"b" * 16))

    assert one.redact(TEXT).text == one.redact(TEXT).text != other.redact(TEXT).text


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"EMIAL": "label"}, "Did you mean 'EMAIL'"),
        ({"EMAIL": "labell"}, "Did you mean 'label'"),
        ({"EMAIL": "hash"}, "needs a key"),
        ({"EMAIL": "token"}, "needs a vault"),
    ],
)
def test_a_mistake_is_named(actions: dict[str, str], message: str) -> None:
    """What is wrong is said when the redactor is made."""
    with pytest.raises(ConfigurationError, match=rf"(?s){message}.*fix: "):
        Redactor(actions=actions)


def test_tokens_come_back() -> None:
    """A vault restores what it replaced, one token for one value, and its repr shows none."""
    vault = Vault()
    redactor = Redactor(actions={"personal": "token"}, vault=vault)
    sent = redactor.redact("a@example.com b@example.com a@example.com").text

    assert sent.split()[0] == sent.split()[2] != sent.split()[1]
    assert "a@example.com b@example.com a@example.com" == vault.restore(sent)
    assert ("Vault(2 values)", "[EMAIL_00000000]") == (repr(vault), vault.restore("[EMAIL_00000000]"))
    vault.clear()
    assert sent == vault.restore(sent)


def test_messages_keep_their_structure() -> None:
    """Texts change, the protocol's own fields and images do not, and what did not change is shared."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,a@example.com"}}
    untouched = {"role": "system", "content": "be kind"}
    messages = [
        untouched,
        {"role": "user", "id": "536-90-4399", "content": [{"type": "text", "text": TEXT}, image]},
        {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"password": "hunter2x", "n": 1}'}}]},
        {"type": "tool_use", "input": {"ssn": "536904399", "id": "536-90-4399"}},
        {"source": {"type": "base64", "media_type": "image/png", "data": "a@example.com"}},
        ("a@example.com", 7, None),
    ]
    before = json.dumps(messages)
    made, done = Redactor().redact_value(messages)

    assert before == json.dumps(messages)
    assert made[0] is untouched
    assert {"role": "user", "id": "536-90-4399", "content": [{"type": "text", "text": "mail [EMAIL]"}, image]} == made[
        1
    ]
    assert {"password": "[SECRET]", "n": 1} == json.loads(made[2]["tool_calls"][0]["function"]["arguments"])
    assert {"type": "tool_use", "input": {"ssn": "[NATIONAL_ID]", "id": "[NATIONAL_ID]"}} == made[3]
    assert (messages[4], ("[EMAIL]", 7, None)) == (made[4], made[5])
    assert Redacted("", {"EMAIL": 2, "SECRET": 1, "NATIONAL_ID": 2}) == done


def test_a_clean_value_is_the_same_object() -> None:
    """Nothing is copied when nothing is found, JSON in a text included."""
    messages = [{"role": "user", "content": '{"a": [1, 2]}'}]

    assert Redactor().redact_value(messages)[0] is messages


class Names:
    """A detector of one name."""

    name = "names"
    entities = ("NAME",)
    streams = True

    def find(self, text: str) -> Iterable[Find]:
        at = text.find("Ada")
        return [Find(at, at + 3, "NAME", "names")] if at >= 0 else []


def test_a_detector_of_the_users_own() -> None:
    """What it finds is acted on like any other find."""
    redactor = Redactor(detectors=[Names()], actions={"NAME": "drop"})

    assert "hello , [EMAIL]" == redactor.redact("hello Ada, a@example.com").text


def test_phonenumbers_finds_national_forms() -> None:
    """With a region, a number without country code or separators is one."""
    redactor = Redactor(detectors=[PhoneNumbers(regions=["DE"])])

    assert "bitte [PHONE] wählen" == redactor.redact("bitte 03012345678 wählen").text


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RE2, or without a detector that is asked for, the fix is in the message."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(NotInstalled, match=r"pip install 'genops-ai\[redaction\]'"):
        Redactor()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(NotInstalled, match="pip install 'presidio-analyzer'"):
        Redactor(detectors=["presidio"])
    with pytest.raises(ConfigurationError, match="Did you mean 'presidio'"):
        Redactor(detectors=["presido"])


def test_hashes_are_found_no_more() -> None:
    """What was hashed before, by an SDK for a Collector, keeps its hash."""
    redactor = Redactor(actions={"secret": "hash", "personal": "hash"}, key=b"0123456789abcdef")
    once = redactor.redact("key ghp_p04fwsz1tu1i7zbem1a6zl6jmkvapysnfimz, password is hunter2x, jane@example.com").text

    assert 3 == once.count(":")
    assert once == redactor.redact(once).text == Redactor().redact(once).text
