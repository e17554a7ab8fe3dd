"""The pictures of docs/guides/dashboard.md, taken of the demo: `make screenshots`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.dashboard.conftest import served, state_of, tab

from genops.cli.commands import demo

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
LARGEST = 250_000  # bytes
WANTED = os.environ.get("GENOPS_SCREENSHOTS", "")  # 1, or a folder for whole pages; tests see no such variable
SHOTS = {  # name: path, theme, width, height
    "overview": ("/?period=all", "light", 1280, 900),
    "overview-dark": ("/?period=all&split=team", "dark", 1280, 900),
    "overview-phone": ("/?period=all", "light", 390, 844),
    "explore": ("/explore?period=all&team=support&by=feature&by=model", "light", 1280, 800),
    "call": ("/calls/", "light", 1280, 860),
    "budgets": ("/budgets?period=all", "light", 1280, 800),
    "budgets-phone": ("/budgets?period=all", "dark", 390, 844),
    "policy": ("/policy?period=all", "light", 1280, 860),
    "unit-economics": ("/customers?period=all", "dark", 1280, 640),
    "evaluations": ("/evals?period=all", "light", 1280, 640),
    "compliance": ("/compliance?period=all", "light", 1280, 800),
}


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ledger = tmp_path_factory.mktemp("screenshots") / "demo-ledger"
    command = [Path(sys.executable).with_name("genops"), "demo", "--ledger", str(ledger), "--no-serve"]
    subprocess.run(command, check=True, capture_output=True)
    return ledger


@pytest.mark.skipif(not WANTED, reason="the pictures are taken by `make screenshots`")
def test_pictures_are_taken(browser: Browser, demonstrated: Path) -> None:
    """Every page of the demo, as small files."""
    folder = IMAGES if WANTED == "1" else Path(WANTED)
    folder.mkdir(parents=True, exist_ok=True)
    state = state_of(demonstrated, demo.SETTINGS)
    with served(state) as url:
        for name, (path, theme, width, height) in SHOTS.items():
            with tab(browser, url, color_scheme=theme, viewport={"width": width, "height": height}) as found:
                page = found.page
                if path == "/calls/":
                    page.goto("/explore?period=all&model=claude-sonnet-4-5&order=cost")
                    path = str(page.locator("#calls a.row").first.get_attribute("href"))
                page.goto(path)
                page.wait_for_function("document.querySelectorAll('.chart:not(.drawn):not(.undrawn)').length === 0")
                page.locator("#live.live").wait_for()
                page.screenshot(path=folder / f"dashboard-{name}.png", full_page=WANTED != "1")
                assert [] == found.faults
    state.source.close()
    assert [] == [path.name for path in IMAGES.glob("dashboard-*.png") if path.stat().st_size > LARGEST]
