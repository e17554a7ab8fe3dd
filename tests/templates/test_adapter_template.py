"""The template of an adapter: built, installed, found through its entry point, and its own tests pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates/adapter"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python in which the template and its SDK are installed."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    if subprocess.run([*pip[:3], "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("there is no pip here; make setup installs one")
    for package in (TEMPLATE, TEMPLATE / "tests/vendor"):
        done = subprocess.run([*pip, "--target", target, package], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
    return {**os.environ, "PYTHONPATH": str(target)}


def test_installed_adapter_is_found_and_patched(installed: dict[str, str]) -> None:
    """`genops adapters` lists it among the built-in ones, with its methods patched."""
    code = "from genops.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "adapters", "--json"], env=installed, capture_output=True, text=True, check=False
    )
    (row,) = [row for row in json.loads(done.stdout) if row["adapter"] == "acme"]

    assert ("patched", "1.0.0", ["acme_llm:Client.complete"]) == (row["state"], row["version"], row["patched"])


def test_tests_of_the_template_pass(installed: dict[str, str], tmp_path: Path) -> None:
    """Its own tests are those a stranger starts from."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, TEMPLATE / "tests"],
        env=installed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    assert "2 passed" in done.stdout
