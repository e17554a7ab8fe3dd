"""Every setting of a component is in its README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

COLLECTOR = Path(__file__).resolve().parents[2] / "collector"
COMPONENTS = sorted(path.parent for path in COLLECTOR.glob("*/*/config.go"))


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_every_setting_is_in_the_readme(component: Path) -> None:
    """A key that a user may write is named, and so are type and stability."""
    keys = set(re.findall(r'mapstructure:"(\w+)', (component / "config.go").read_text()))
    page = (component / "README.md").read_text()

    assert set() == {key for key in keys if f"`{key}`" not in page and f"{key}:" not in page}
    assert "| Stability |" in page
    assert "| Type | `genops_" in page
    assert component.name in (COLLECTOR / "README.md").read_text()
