"""`genops policy keygen`, `except` and `approve`: signed, time-boxed permissions to break a rule."""

from __future__ import annotations

import io
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from genops.cli._policy_input import parse_pairs
from genops.config.files import Document
from genops.config.policies import read_moment
from genops.config.shapes import Value
from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.matching import MATCH_KEYS
from genops.core.rules.model import Exemption
from genops.core.rules.signing import new_key, public_key_of, sign

__all__ = ["register"]

_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Rule = Annotated[str, typer.Argument(help="The name of the rule.")]
Owner = Annotated[str, typer.Option(help="Who answers for it, e.g. an address.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Expires = Annotated[str, typer.Option(help="When it ends: 8h, 30d, 2026-12-31, or a time with its offset.")]
Key = Annotated[Path, typer.Option(help="The file with the private key.")]
Into = Annotated[Path | None, typer.Option(help="The policy file to add it to; printed if left out.")]
Match = Annotated[list[str] | None, typer.Option(help="key=pattern; may be repeated. Every call if left out.")]


def register(policy: typer.Typer) -> None:
    """Add the commands to `genops policy`."""
    policy.command("keygen", epilog="Example: genops policy keygen ~/.genops/policy.key")(keygen)
    policy.command(
        "except",
        epilog="Example: genops policy except no-frontier --owner ada --reason launch --expires 30d --key K",
    )(except_)
    policy.command(
        "approve", epilog="Example: genops policy approve big-batch --match team=ads --owner ada --expires 8h --key K"
    )(approve)


def keygen(file: Annotated[Path, typer.Argument(help="Where the private key goes; it must not exist.")]) -> None:
    """Make a pair of keys: the private one into a file only you can read, the public one for genops.yaml."""
    private, public = new_key()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already, and was left alone.", fix="name another file") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.", fix="name another file") from error
    with os.fdopen(handle, "w") as out:
        out.write(private + "\n")
    print(f"# add to genops.yaml, where it is reviewed:\ntrusted_keys: ['{public}']")


def except_(
    rule: Rule,
    owner: Owner,
    reason: Reason,
    expires: Expires,
    key: Key,
    match: Match = None,
    into: Into = None,
) -> None:
    """Sign an exception from a rule, for some calls and some time."""
    _grant("exc", rule, (owner, reason, expires), key, match, into)


def approve(
    rule: Rule,
    owner: Owner,
    expires: Expires,
    key: Key,
    reason: Reason = "approved",
    match: Match = None,
    into: Into = None,
) -> None:
    """Approve calls that a rule lets through only with somebody's approval; then they can be made again."""
    _grant("apr", rule, (owner, reason, expires), key, match, into)


def _grant(
    kind: str, rule: str, said: tuple[str, str, str], key: Path, match: list[str] | None, into: Path | None
) -> None:
    owner, reason, expires = said
    patterns = {name: (value,) for name, value in parse_pairs(match or (), "--match").items()}
    for name in patterns:
        if name not in MATCH_KEYS:
            raise ConfigurationError(
                f"--match {name}: no key of a match.{did_you_mean(name, MATCH_KEYS)}",
                fix=f"use {', '.join(MATCH_KEYS)}",
            )
    private = _private_key(key)
    exemption = Exemption(
        id=f"{kind}-{secrets.token_hex(4)}",
        rule=rule,
        owner=owner,
        reason=reason,
        expires=_moment(expires),
        match=patterns,
    )
    fields = exemption.signed_fields() | {"signature": sign(exemption, private)}
    if into is None:
        print("exceptions:\n" + _yaml([fields], "  "), end="")
        return
    _add(into, fields)
    what, until = ", ".join(match or ()) or "every call", f"{exemption.expires:%Y-%m-%d %H:%M %Z}"
    print(f"{into}: {exemption.id} lets {what} break {rule!r} until {until}")
    print(f"signed by {public_key_of(private)}")


def _private_key(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as a key: {error}.", fix="genops policy keygen FILE"
        ) from error


def _moment(text: str) -> datetime:
    found = _DURATION.fullmatch(text)
    if found is None:
        return read_moment(Value(text, Document("--expires", {}), ("expires",)))
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**{_UNITS[found[2]]: int(found[1])})


def _yaml(items: list[dict[str, object]], indent: str) -> str:
    import yaml

    text = yaml.safe_dump(items, sort_keys=False, allow_unicode=True, width=200)
    return "".join(f"{indent}{line}\n" for line in text.splitlines())


def _add(file: Path, fields: dict[str, object]) -> None:
    """Append to the exceptions of a policy file, whose comments stay. The file may be new."""
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise NotInstalled(
            "adding to a file needs the package ruamel.yaml.", fix="pip install 'genops-ai[cli]'"
        ) from None
    layout = YAML()
    layout.indent(mapping=2, sequence=4, offset=2)
    layout.width = 200
    layout.preserve_quotes = True
    document = layout.load(file.read_text(encoding="utf-8")) if file.exists() else None
    document = document if document is not None else {}
    document.setdefault("exceptions", []).append(fields)
    out = io.StringIO()
    layout.dump(document, out)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(out.getvalue(), encoding="utf-8")
    draft.replace(file)
