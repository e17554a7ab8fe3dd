"""Write, or check, spec/vectors/redaction/agreement.json: what Python finds in texts made of every rule.

For each rule values are drawn that its pattern matches, most of them with the right check digit, and put between words,
marks and other values. The Collector must find the same at the same places. The seed is fixed.

python tools/build_redaction_vectors.py            writes it
python tools/build_redaction_vectors.py --check    exits 1 if Python finds something else in these texts today
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from re import _constants as sre  # type: ignore[attr-defined]  # isort: skip
from re import _parser as parser  # type: ignore[attr-defined]  # isort: skip

from genops.core.redaction import Redactor, Rule, Rules
from genops.core.redaction.validators import VALIDATORS

__all__ = ["main"]

TARGET = Path(__file__).resolve().parents[1] / "spec/vectors/redaction/agreement.json"
SEED = 20261127
TRIES = 3000  # drawn values until one has the right check digit
LONGEST = 90  # characters that a repetition is drawn up to beyond its least
KEY = b"0123456789abcdef"
BEFORE = ["", " ", ": ", '"', "(", "\n", "\\n", "-", "x", "7", ".", "=", "+", "é", "日", "= '", " is ", ",", "@", "#"]
AFTER = ["", " ", ".", ",", '"', ")", "\n", "\\n", "-", "x", "7", ". 5", "é", "日", ":", "@", "-4", "/1", " 12", "'"]
WORDS = (
    "please the order token key card number write to owner of version call Straße 東京 my password was it 2026".split()
)
ACTIONS: list[dict[str, str]] = [
    {"personal": "mask", "secret": "drop"},
    {"personal": "hash", "secret": "hash"},
    {"EMAIL": "allow", "PHONE": "hash", "secret": "mask"},
    {"personal": "block", "SECRET": "allow"},
]

SAMPLES = {
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606"],
    "jwt": [
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhYmMifQ.",
    ],
}


def cases() -> Iterator[dict[str, Any]]:
    """Texts with one to three values of rules, three texts for each rule."""
    draw, rules = random.Random(SEED), Rules.default().rules
    for rule in rules:
        for _ in range(3):
            others = draw.sample(rules, draw.choice((0, 0, 1, 2)))
            yield {"text": " ".join(_said(draw, each) for each in (rule, *others))}


def actions() -> Iterator[dict[str, Any]]:
    """The same sort of texts under other actions."""
    draw = random.Random(SEED + 1)
    for chosen in ACTIONS:
        for rule in draw.sample(Rules.default().rules, 15):
            yield {"actions": chosen, "text": _said(draw, rule)}


def values() -> Iterator[dict[str, Any]]:
    """JSON in a text: names of fields announce, texts inside texts are read, numbers and structure stay."""
    draw = random.Random(SEED + 2)
    for rule in draw.sample(Rules.default().rules, 60):
        inner = {draw.choice(("content", "password", "note", "apiKey", "phone")): _said(draw, rule), "count": 3}
        arguments = json.dumps({"to": [_value(draw, rule), "é"], "deep": {"text": "a\nb"}}, ensure_ascii=False)
        given = json.dumps(
            [{"role": "user", "parts": [inner]}, {"arguments": arguments}, None, 1.5], ensure_ascii=False
        )
        yield {"text": given}


def _said(draw: random.Random, rule: Rule) -> str:
    lead = draw.choices(WORDS, k=draw.randrange(4))
    if rule.near and draw.random() < 0.8:
        word = draw.choice(rule.near)
        lead.append(draw.choice((word, word.upper(), word + "s", word + ":", word.title())))
    if rule.unless and draw.random() < 0.3:
        lead.append(draw.choice(rule.unless))
    plain = draw.random() < 0.6
    before, after = (" ", " ") if plain else (draw.choice(BEFORE), draw.choice(AFTER))
    return " ".join(lead) + before + _value(draw, rule) + after + " ".join(draw.choices(WORDS, k=draw.randrange(3)))


def _value(draw: random.Random, rule: Rule) -> str:
    if rule.id in SAMPLES and draw.random() < 0.9:
        return draw.choice(SAMPLES[rule.id])
    pattern = re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), rule.pattern)
    parsed = parser.parse(pattern)
    compiled = re.compile(pattern)
    made = ""
    for _ in range(TRIES):
        made = _drawn(draw, parsed)
        match = compiled.search(made)
        if rule.validate is None or draw.random() < 0.002:
            break
        if match is not None and VALIDATORS[rule.validate](match[rule.group], rule.minimum):
            break
    return made


def _drawn(draw: random.Random, parsed: Any) -> str:
    """A text that the parsed pattern matches."""
    made = ""
    for operation, argument in parsed:
        if operation is sre.LITERAL:
            made += chr(argument).upper() if draw.random() < 0.01 else chr(argument)
        elif operation is sre.ANY:
            made += draw.choice("abc 1é")
        elif operation is sre.NOT_LITERAL:
            made += draw.choice([char for char in "abc 1é" if ord(char) != argument])
        elif operation is sre.IN:
            made += _of_class(draw, argument)
        elif operation is sre.BRANCH:
            made += _drawn(draw, draw.choice(argument[1]))
        elif operation is sre.SUBPATTERN:
            made += _drawn(draw, argument[3])
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = argument
            count = draw.randint(least, min(int(most), least + (2 if least > LONGEST else draw.choice((0, 3, 12)))))
            made += "".join(_drawn(draw, inner) for _ in range(count))
    return made


def _of_class(draw: random.Random, items: list[tuple[Any, Any]]) -> str:
    if items[0][0] is sre.NEGATE:
        return draw.choice("abcXYZ019_~!")
    operation, argument = draw.choice([item for item in items for _ in range(_weight(item))])
    if operation is sre.RANGE:
        return chr(draw.randint(*argument))
    return chr(argument) if operation is sre.LITERAL else " "


def _weight(item: tuple[Any, Any]) -> int:
    return int(item[1][1] - item[1][0] + 1) if item[0] is sre.RANGE else 1


def answered(parts: Mapping[str, Iterable[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Every text with what Python makes of it."""
    redactor = Redactor()
    made: dict[str, list[dict[str, Any]]] = {"cases": [], "actions": [], "values": []}
    for each in parts["cases"]:
        finds = [[find.start, find.end, find.entity, find.rule] for find in redactor.find(each["text"])]
        made["cases"].append({"text": each["text"], "finds": finds})
    for each in parts["actions"]:
        redacted = Redactor(actions=each["actions"], key=KEY).redact(each["text"]).text
        made["actions"].append({"actions": each["actions"], "text": each["text"], "redacted": redacted})
    for each in parts["values"]:
        made["values"].append({"text": each["text"], "redacted": redactor.redact_value(each["text"])[0]})
    return made


def render(parts: Mapping[str, Iterable[dict[str, Any]]]) -> str:
    """The file, one case a line."""
    lines = {
        name: ",\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in made)
        for name, made in answered(parts).items()
    }
    body = ",\n".join(f' "{name}": [\n{text}\n ]' for name, text in lines.items())
    return f'{{\n "rules": "{Rules.default().version}",\n "key": "{KEY.decode()}",\n{body}\n}}\n'


def main() -> int:
    """Run the command line; 1 if `--check` found a difference."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if Python says something else today"
    )
    if options.parse_args().check:
        recorded = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else "{}"
        # The texts as they were drawn: how a pattern is parsed, and so what is drawn, differs between Pythons.
        if recorded != "{}" and render(json.loads(recorded)) == recorded:
            return 0
        print(f"differs: {TARGET.name}\n  fix: make generate")
        return 1
    text = render({"cases": cases(), "actions": actions(), "values": values()})
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {text.count('text')} texts, {len(text.encode()) / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
