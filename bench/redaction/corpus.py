"""A corpus for redaction: own sentences, generated values with right check digits, look-alikes, and clean code.

Every value is made up. A text is `(text, [(start, end, entity), ...])`. The seed decides everything, so that a held-back
corpus is another seed.
"""

from __future__ import annotations

import random
import string

__all__ = ["look_alikes", "personal", "secrets"]

FIRST = (
    "anna ben chiara david elif farid grete hugo ines jonas kemal lucia maja nils olga pedro qi rosa sven tara".split()
)
LAST = "adler brandt costa dupont evans ferrari garcia haddad ito jensen kovacs lopez meyer novak okafor petit silva".split()
HOSTS = "example.com example.org mail.example.net post.example.de correo.example.es bedrijf.example.nl uni.example.ac.uk".split()
BARE = [
    "My {what} is {value}, please update the record.",
    "{value} is what the customer gave us.",
    "Please check {value} before you answer.",
    "From: {value}\nSubject: question",
    "name,contact,city\nA. Person,{value},Bern",
    '{{"field": "{value}", "ok": true}}',
    "Summarise this note: the person wrote that {value} is still valid and wants an answer today.",
    "- {value}\n- nothing else",
    "Bitte notieren: {value}. Danke!",
    "Le client a écrit ({value}) hier soir.",
    "El cliente envió {value} ayer por la tarde.",
]
ANNOUNCED = [
    "My {what} is {value}, please update the record.",
    "{what}: {value}",
    "The customer's {what} ({value}) has changed.",
    "Here is the {what} you asked for: {value}. Thanks!",
    "Question about {what} {value}\nCould you look into it?",
    '{{"{what}": "{value}", "ok": true}}',
]


def luhn(body: str) -> str:
    total = sum(
        (int(c) * 2 - 9 if int(c) > 4 else int(c) * 2) if i % 2 == 0 else int(c) for i, c in enumerate(reversed(body))
    )
    return body + str(-total % 10)


def digits(rng: random.Random, count: int, first: str = string.digits) -> str:
    return rng.choice(first) + "".join(rng.choices(string.digits, k=count - 1))


def email(rng: random.Random) -> str:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    local = rng.choice(
        [f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}{rng.randint(1, 99)}", f"{first}+news", last]
    )
    return f"{local}@{rng.choice(HOSTS)}"


def card(rng: random.Random) -> str:
    kind = rng.choice(["4", "51", "55", "2221", "34", "37", "6011", "3528", "36"])
    size = {"34": 15, "37": 15, "36": 14}.get(kind, 16)
    number = luhn(kind + digits(rng, size - len(kind) - 1))
    if size == 16 and rng.random() < 0.6:
        gap = rng.choice(" -")
        return gap.join(number[i : i + 4] for i in range(0, 16, 4))
    return number


def iban(rng: random.Random) -> str:
    country, body = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("NL", "ABNA" + digits(rng, 10)),
            ("GB", "NWBK" + digits(rng, 14)),
            ("FR", digits(rng, 23)),
            ("ES", digits(rng, 20)),
            ("CH", digits(rng, 17)),
            ("AT", digits(rng, 16)),
            ("PL", digits(rng, 24)),
        ]
    )
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    made = f"{country}{98 - number % 97:02d}{body}"
    return " ".join(made[i : i + 4] for i in range(0, len(made), 4)) if rng.random() < 0.5 else made


def ip(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return "2001:db8:" + ":".join(f"{rng.randint(1, 65535):x}" for _ in range(6))
    return ".".join(str(rng.randint(12, 250)) for _ in range(4))


def phone(rng: random.Random) -> str:
    d = lambda n, first="23456789": digits(rng, n, first)  # noqa: E731
    return rng.choice(
        [
            f"+1 {d(3)}-{d(3)}-{d(4)}", f"({d(3)}) {d(3)}-{d(4)}", f"{d(3)}-{d(3)}-{d(4)}", f"{d(3)}.{d(3)}.{d(4)}",
            f"+44 20 {d(4)} {d(4)}", f"0{d(4, '1')} {d(6)}", f"020 {d(4)} {d(4)}", f"+49 {d(3, '1')} {d(8)}", f"030 {d(7)}",
            f"+33 {d(1)} {d(2)} {d(2)} {d(2)} {d(2)}", f"0{d(1)} {d(2)} {d(2)} {d(2)} {d(2)}", f"+34 {d(3, '6')} {d(3)} {d(3)}",
            f"+39 06 {d(4)} {d(4)}", f"+31 6 {d(8)}", f"+55 11 9{d(4)}-{d(4)}", f"(11) 9{d(4)}-{d(4)}", f"+91 {d(5, '9')} {d(5)}",
            f"+81 3-{d(4)}-{d(4)}", f"03-{d(4)}-{d(4)}", f"+61 4{d(2)} {d(3)} {d(3)}", f"04{d(2)} {d(3)} {d(3)}", f"+1{d(10)}",
            f"{d(3)}-{d(3)}-{d(4)}x{d(3)}", f"001-{d(3)}-{d(3)}-{d(4)}", f"+48 {d(3)} {d(3)} {d(3)}", f"+41 44 {d(3)} {d(2)} {d(2)}",
        ]
    )  # fmt: skip


def phone_announced(rng: random.Random) -> str:
    return rng.choice(
        [
            digits(rng, 10, "23456789"),
            "0" + digits(rng, 10, "17"),
            f"{digits(rng, 3, '6')} {digits(rng, 3)} {digits(rng, 3)}",
            phone(rng),
        ]
    )


def ssn(rng: random.Random) -> str:
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


def nino(rng: random.Random) -> str:
    body = digits(rng, 6)
    made = f"{rng.choice('ABCEHJ')}{rng.choice('ABCEHJ')}{body}{rng.choice('ABCD')}"
    return f"{made[:2]} {made[2:4]} {made[4:6]} {made[6:8]} {made[8]}" if rng.random() < 0.5 else made


def dni(rng: random.Random) -> str:
    number = digits(rng, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def cpf(rng: random.Random) -> str:
    body = digits(rng, 9)
    for weights in (range(10, 1, -1), range(11, 1, -1)):
        rest = sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def insee(rng: random.Random) -> str:
    body = f"{rng.choice('12')}{rng.randint(30, 99)}{rng.randint(1, 12):02d}{rng.randint(10, 95)}{rng.randint(100, 900)}{rng.randint(100, 900)}"
    return f"{body}{97 - int(body) % 97:02d}"


def bsn(rng: random.Random) -> str:
    while True:
        made = digits(rng, 9, "12345")
        if sum(int(c) * w for c, w in zip(made, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0:
            return made


def steuer_id(rng: random.Random) -> str:
    some = rng.sample("123456789", 9)
    body = "".join([*some[:5], some[0], *some[5:]])
    product = 10
    for c in body:
        product = ((int(c) + product) % 10 or 10) * 2 % 11
    return body + str((11 - product) % 10)


def pesel(rng: random.Random) -> str:
    body = f"{rng.randint(40, 99)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}{digits(rng, 4)}"
    return body + str(-sum(int(c) * w for c, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True)) % 10)


PERSONAL = [
    ("EMAIL", email, BARE, ["e-mail", "address"]), ("CREDIT_CARD", card, BARE, ["card number"]), ("IBAN", iban, BARE, ["IBAN", "account"]),
    ("IP", ip, BARE, ["IP", "server"]), ("PHONE", phone, BARE, ["phone number"]),
    ("PHONE", phone_announced, ANNOUNCED, ["phone number", "mobile", "telephone", "fax"]),
    ("NATIONAL_ID", ssn, BARE, ["SSN"]), ("NATIONAL_ID", nino, BARE, ["NI number"]), ("NATIONAL_ID", dni, BARE, ["DNI"]),
    ("NATIONAL_ID", cpf, BARE, ["CPF"]), ("NATIONAL_ID", insee, BARE, ["numéro de sécurité sociale"]),
    ("NATIONAL_ID", bsn, ANNOUNCED, ["BSN"]), ("NATIONAL_ID", steuer_id, ANNOUNCED, ["Steuer-ID"]), ("NATIONAL_ID", pesel, ANNOUNCED, ["PESEL"]),
]  # fmt: skip


def personal(seed: int, count: int) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Texts with one piece of personal data each."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        entity, value_of, templates, names = PERSONAL[number % len(PERSONAL)]
        value = value_of(rng)
        template = rng.choice(templates)
        text = template.format(what=rng.choice(names), value=value)
        start = text.index(value)
        made.append((text, [(start, start + len(value), entity)]))
    return made


ALNUM, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
KEYS = [
    ("sk-proj-", ALNUM + "_-", 80), ("sk-ant-api03-", ALNUM + "_-", 95), ("ghp_", ALNUM, 36), ("github_pat_", ALNUM, 82), ("glpat-", ALNUM, 20),
    ("AKIA", string.ascii_uppercase + "234567", 16), ("AIza", ALNUM + "_-", 35), ("xoxb-", string.digits, 24), ("sk_live_", ALNUM, 24),
    ("SG.", ALNUM + "_-", 66), ("npm_", ALNUM, 36), ("hf_", ALNUM, 34), ("dapi", HEX, 32), ("shpat_", HEX, 32), ("dop_v1_", HEX, 64),
    ("glsa_", ALNUM + "_", 41), ("lin_api_", ALNUM, 40), ("ntn_", ALNUM, 46), ("hvs.", ALNUM, 90), ("r8_", ALNUM, 37), ("gsk_", ALNUM, 52),
    ("pplx-", ALNUM, 48), ("pypi-AgEIcHlwaS5vcmc", ALNUM + "_-", 80), ("rzp_live_", ALNUM, 14), ("tskey-auth-", ALNUM, 32), ("NRAK-", string.ascii_uppercase + string.digits, 27),
]  # fmt: skip
SETTINGS = [
    'api_key = "{value}"', "export SERVICE_TOKEN={value}", '{{"clientSecret": "{value}"}}', "secret_key: {value}", "const apiKey = '{value}';",
    "curl -H 'Authorization: Bearer {value}' https://api.example.com", "auth_token={value}&page=2",
]  # fmt: skip
PLACES = [
    "use {value} for now",
    "key: {value}",
    '{{"k": "{value}"}}',
    "{value}",
    "I pasted {value} by mistake, sorry",
    "TOKEN={value}\n",
]


def secrets(seed: int, count: int) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Texts with one secret each: a vendor's key, a random value under a telling name, or a password in an address."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        way = number % 4
        if way < 2:
            prefix, alphabet, size = rng.choice(KEYS)
            value, template = prefix + "".join(rng.choices(alphabet, k=size)), rng.choice(PLACES)
        elif way == 2:
            value, template = (
                "".join(rng.choices(rng.choice([ALNUM, HEX]), k=rng.randint(24, 48))),
                rng.choice(SETTINGS),
            )
        else:
            value = "".join(rng.choices(ALNUM + "!#_", k=12))
            template = rng.choice(
                [
                    "postgres://app:{value}@db.example.com/main",
                    "password: {value}",
                    "https://bob:{value}@git.example.com/x.git",
                ]
            )
            value = value.rstrip("!#_") + "7a"
        text = template.format(value=value)
        start = text.rindex(value)
        made.append((text, [(start, start + len(value), "SECRET")]))
    return made


def look_alikes(seed: int, count: int) -> list[str]:
    """Lines that hold neither personal data nor a secret, but look like it."""
    rng = random.Random(seed)
    hexes = lambda n: "".join(rng.choices(HEX, k=n))  # noqa: E731
    ways = [
        lambda: f"request {hexes(8)}-{hexes(4)}-4{hexes(3)}-a{hexes(3)}-{hexes(12)} done",
        lambda: f"commit {hexes(40)} by the build",
        lambda: f"sha256:{hexes(64)}  dist/app.tar.gz",
        lambda: f"{rng.randint(1990, 2030)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z start",
        lambda: f"on {rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/{rng.randint(1990, 2030)} we met at {rng.randint(0, 23)}:{rng.randint(10, 59)}",
        lambda: f"EAN {digits(rng, 13, '4579')} in stock",
        lambda: f"ISBN 978-{rng.randint(0, 9)}-{rng.randint(100, 999)}-{rng.randint(10000, 99999)}-{rng.randint(0, 9)}",
        lambda: f"at {rng.randint(1500000000, 1900000000)} and {rng.randint(1500000000000, 1900000000000)} ms",
        lambda: f"version {rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 200)} of the client",
        lambda: f"v{rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 20)}-rc{rng.randint(1, 9)} is out",
        lambda: f"{rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f} on the map",
        lambda: f"invoice {rng.randint(2020, 2030)}-{rng.randint(10000, 99999)} of EUR {rng.randint(1, 99)},{rng.randint(100, 999)}.{rng.randint(10, 99)}",
        lambda: f"order no. {rng.randint(10**9, 10**10)} shipped with {rng.randint(10**11, 10**12)}",
        lambda: f"max_tokens={rng.randint(100, 99999)} token_count: {rng.randint(10**9, 10**10)}",
        lambda: f"api_key = os.environ[\"{rng.choice(['OPENAI', 'SERVICE', 'MY'])}_API_KEY\"]",
        lambda: "password = getpass.getpass('Password: ')",
        lambda: f"def get_secret_{rng.choice(FIRST)}(self, token_id: str) -> str:",
        lambda: f"key={rng.choice(['primary', 'user_name', 'session.created_at', 'items[0].id'])}; token_type=bearer",
        lambda: f"import {rng.choice(FIRST)} from '@scope/{rng.choice(LAST)}@{rng.randint(1, 9)}.{rng.randint(0, 9)}.0'",
        lambda: f"image@{rng.randint(2, 3)}x.png and style@media.css",
        lambda: f"the file has {rng.randint(100, 999)} {rng.randint(100, 999)} {rng.randint(100, 999)} rows",
        lambda: f"the price rose from {rng.randint(10, 99)}.{rng.randint(100, 999)}.{rng.randint(100, 999)} to {rng.randint(10, 99)}.{rng.randint(100, 999)}.{rng.randint(100, 999)}",
        lambda: f"std::vector<int> a{rng.randint(0, 9)}; ns::detail::call({rng.randint(0, 9)}); 12:30:45",
        lambda: f"mac 00:1b:{hexes(2)}:{hexes(2)}:{hexes(2)}:{hexes(2)} on eth0, score 3:2",
        lambda: "Please remember that the password must be at least twelve characters long.",
        lambda: "The token is refreshed every hour, and the secret is that nobody notices.",
        lambda: f"tracking 1Z{''.join(rng.choices(string.ascii_uppercase + string.digits, k=16))} is on its way",
        lambda: f"color #{hexes(6)} at {rng.randint(1, 99)}px, id=\"node-{rng.randint(10**5, 10**6)}\"",
    ]  # fmt: skip
    return [ways[number % len(ways)]() for number in range(count)]
