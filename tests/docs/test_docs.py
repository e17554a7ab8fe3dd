"""Docs tell the truth: their Python runs and their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.examples.hosts import PYTHON, VARIABLES, provider

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
BLOCKS = [
    pytest.param(page, block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
]


def _adapter(page: Path) -> str | None:
    """The adapter whose page this is; its code calls the provider."""
    name = page.stem.removesuffix("-quickstart")
    return name if name in VARIABLES and page.parent.name in ("docs", "integrations") else None


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_python_block_runs(page: Path, block: str, tmp_path: Path) -> None:
    """Every block is a program; those of an adapter's pages call its SDK, against replayed traffic."""
    adapter = _adapter(page)
    python = PYTHON.get(adapter or "", Path(sys.executable))
    if not python.exists():
        pytest.skip(f"no {python}; make examples sets it up")
    with nullcontext() if adapter is None else provider(adapter, tmp_path) as environment:
        result = subprocess.run(
            [python, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert 0 == result.returncode, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [] == [target for target in targets if not (page.parent / target).exists()]
