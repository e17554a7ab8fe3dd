"""What the pages load is in the package: as it came from npm, with its licence, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from genops.server.dashboard.app import ASSETS

VENDOR = ASSETS / "vendor"
TEMPLATES = sorted((ASSETS.parent / "templates").glob("*.html"))
# The files of htmx.org 4.0.1, uplot 1.6.32 and @fontsource-variable/inter 5.3.0, as npm pack gives them.
DIGESTS = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "inter-latin-wght-normal.woff2": "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
}


def test_vendored_files_are_those_of_npm() -> None:
    """A changed byte, or a file that nobody listed here, fails."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    found.pop("LICENSES.txt")

    assert DIGESTS == found


def test_every_vendored_package_has_its_licence() -> None:
    """The texts go into the wheel with the files."""
    text = (VENDOR / "LICENSES.txt").read_text()

    assert all(name in text for name in DIGESTS)
    assert all(licence in text for licence in ("Zero-Clause BSD", "The MIT License", "SIL OPEN FONT LICENSE"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    """The content security policy would refuse it, on a page that then looks broken."""
    text = template.read_text()

    assert [] == re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text)
    assert [] == re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text)
    assert [] == re.findall(r"\|\s*safe\b", text)


def test_our_own_scripts_and_styles_load_nothing_from_elsewhere() -> None:
    """No URL of another host in any of them."""
    for path in ASSETS.glob("*.*"):
        urls = re.findall(r"https?://[^\s\"')]+", path.read_text())
        assert [] == [url for url in urls if url != "http://www.w3.org/2000/svg"], path.name
