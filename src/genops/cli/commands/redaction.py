"""`genops redact FILE`: a text with personal data and secrets replaced, or a check that there are none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from genops.core.errors import ConfigurationError
from genops.core.redaction import Find, Redactor

__all__ = ["register"]

_EPILOG = (
    "Exit codes: 0 done, or nothing found with --check; 1 something found with --check; 2 the file cannot be read. "
    "Example: git diff --cached | genops redact - --check"
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("redact", epilog=_EPILOG)(redact)


def redact(
    file: Annotated[Path, typer.Argument(help="A text file; - reads standard input.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found and where, never the values, instead of the text.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Print where something was found; exit 1 if so.")] = False,
    action: Annotated[str, typer.Option(help="What happens to a find: label, mask or drop.")] = "label",
    detector: Annotated[
        list[str] | None, typer.Option(help="A detector beside the rules: phonenumbers, presidio. Repeat for more.")
    ] = None,
) -> None:
    """Replace personal data and secrets in a text. Nothing leaves this machine."""
    if action not in ("label", "mask", "drop"):
        raise ConfigurationError(f"--action {action!r} is none for a file.", fix="--action label, mask or drop")
    redactor = Redactor(actions={"personal": action, "secret": action}, detectors=detector or ())
    text = _read(file)
    finds = redactor.find(text)
    done = redactor.apply(text, finds)
    if as_json:
        places = [{"start": find.start, "end": find.end, "entity": find.entity, "rule": find.rule} for find in finds]
        typer.echo(json.dumps({"rules": redactor.version, "counts": dict(done.counts), "finds": places}, indent=2))
    elif check:
        for find in finds:
            typer.echo(f"{file}:{_place(text, find)}: {find.entity} ({find.rule})")
    else:
        sys.stdout.buffer.write(done.text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    raise typer.Exit(1 if check and finds else 0)


def _place(text: str, find: Find) -> str:
    line = text.count("\n", 0, find.start) + 1
    return f"{line}:{find.start - text.rfind(chr(10), 0, find.start)}"


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.", fix="name a text file, or -") from None
    return data.decode("utf-8", "surrogateescape")  # other bytes come out as they went in
