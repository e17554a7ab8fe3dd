"""Recall on the sentences of presidio-evaluator, filled with Faker's values: python bench/redaction/templates.py [--seed 7]

Nobody tunes on a seed: every run may be another one. The package holds 209 sentences (MIT) and is not part of this project;
`pip install --no-deps presidio-evaluator faker tzdata` beside genops-ai[redaction] is enough.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
from collections import Counter
from pathlib import Path

from faker import Faker

from genops.core.redaction import Redactor

LOCALES = {
    "tuned": "en_US,en_GB,de_DE,fr_FR,es_ES,it_IT,nl_NL,pl_PL,sv_SE,en_CA",
    "other": "cs_CZ,da_DK,fi_FI,pt_PT,en_IN,en_AU,es_MX,no_NO,ro_RO,tr_TR",
}
STRUCTURED = {
    "credit_card_number": ("CREDIT_CARD", "credit_card_number"),
    "phone_number": ("PHONE", "phone_number"),
    "email": ("EMAIL", "email"),
    "iban": ("IBAN", "iban"),
    "ssn": ("NATIONAL_ID", "ssn"),
    "ip_address": ("IP", "ipv4"),
}
OTHER_NAMES = {"organization": "company", "person": "name", "zipcode": "postcode", "nationality": "country"}


def value(name, faker, english, rng):
    """What stands in a slot: of the locale, else in English, else a number."""
    for source in (faker, english):
        try:
            return str(getattr(source, OTHER_NAMES.get(name, name))())
        except AttributeError:
            continue
    return str(rng.randint(18, 90))


def texts(seed, locales, count):
    """Yield texts with the places of what is to be found."""
    rng = random.Random(seed)
    fakers = [Faker(locale) for locale in locales]
    english = Faker("en_US")
    for each in (*fakers, english):
        each.seed_instance(seed)
    spec = importlib.util.find_spec("presidio_evaluator")  # not imported: it would want spaCy
    file = Path(spec.submodule_search_locations[0]) / "data_generator" / "raw_data" / "templates.txt"
    templates = file.read_text(encoding="utf-8", errors="replace").splitlines()
    wanted = [line for line in templates if any(f"{{{{{name}}}}}" in line for name in STRUCTURED)]
    for number in range(count):
        template, faker = rng.choice(templates if number % 2 else wanted), rng.choice(fakers)
        text, spans, at = "", [], 0
        for slot in re.finditer(r"\{\{([a-z_]+)\}\}", template):
            text, at = text + template[at : slot.start()], slot.end()
            entity, method = STRUCTURED.get(slot[1], (None, slot[1]))
            made = value(method, english if slot[1] == "ssn" else faker, english, rng)
            if entity is not None:
                spans.append((len(text), len(text) + len(made), entity))
            text += made
        yield text + template[at:], spans


def measure(seed, locales, count):
    redactor, found, total = Redactor(), Counter(), Counter()
    right = wrong = 0
    for text, spans in texts(seed, locales, count):
        finds = redactor.find(text)
        for start, end, entity in spans:
            total[entity] += 1
            found[entity] += any(f.start <= start and f.end >= end and f.entity == entity for f in finds)
        for find in finds:
            hit = any(find.start < end and find.end > start and find.entity == entity for start, end, entity in spans)
            right, wrong = right + hit, wrong + (not hit)
    return {
        "recall": {name: f"{found[name]}/{total[name]}" for name in sorted(total)},
        "recall_all": round(found.total() / total.total(), 4),
        "precision": round(right / (right + wrong), 4),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    rows = {name: measure(options.seed, locales.split(","), options.count) for name, locales in LOCALES.items()}
    print(json.dumps({"seed": options.seed, "texts": options.count, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
