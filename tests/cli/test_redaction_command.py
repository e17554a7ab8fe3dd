"""`genops redact`: texts, positions and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genops.cli.main import make_app

TEXT = "one\nmail jane@example.com\n"


@pytest.mark.parametrize(
    ("action", "expected"), [("label", "mail [EMAIL]"), ("drop", "mail "), ("mask", "mail ****.com")]
)
def test_the_text_comes_out_redacted(tmp_path: Path, action: str, expected: str) -> None:
    """The rest stays as it is."""
    file = tmp_path / "a.txt"
    file.write_text(TEXT)
    result = CliRunner().invoke(make_app(), ["redact", str(file), "--action", action])

    assert (0, f"one\n{expected}\n") == (result.exit_code, result.stdout)


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    """A file in another encoding is not harmed."""
    result = CliRunner().invoke(make_app(), ["redact", "-"], input=b"\xff\xfe a@example.com \xe9")

    assert b"\xff\xfe [EMAIL] \xe9" == result.stdout_bytes


def test_check_says_where_and_fails() -> None:
    """--check prints places, never values."""
    result = CliRunner().invoke(make_app(), ["redact", "-", "--check"], input=TEXT)

    assert (1, "-:2:6: EMAIL (email)\n") == (result.exit_code, result.stdout)
    assert 0 == CliRunner().invoke(make_app(), ["redact", "-", "--check"], input="nothing").exit_code


def test_json_has_places_and_no_values() -> None:
    """--json is for machines."""
    result = CliRunner().invoke(make_app(), ["redact", "-", "--json"], input=TEXT)
    document = json.loads(result.stdout)

    assert [{"start": 9, "end": 25, "entity": "EMAIL", "rule": "email"}] == document["finds"]
    assert ({"EMAIL": 1}, False) == (document["counts"], "jane" in result.stdout)
