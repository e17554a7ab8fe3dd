"""Every adapter has what a user is promised: a quickstart, a guide and six programs with a README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tests.examples.hosts import ROOT, VARIABLES

from genops.providers._engine.registry import adapters

PROGRAMS = ("setup_validation", "basic_tracking", "auto_instrumentation", "cost_tracking", "production_patterns")


@pytest.mark.parametrize("name", [*sorted(adapters()), "openai_compatible"])
def test_an_adapter_is_documented(name: str) -> None:
    """Its pages and programs are there, and the table of adapters leads to them."""
    files = [
        *(f"examples/{name}/{program}.py" for program in (*PROGRAMS, f"{name}_specific_advanced")),
        *(f"examples/{name}/README.md", f"docs/{name}-quickstart.md", f"docs/integrations/{name}.md"),
    ]

    assert [] == [file for file in files if not (ROOT / file).is_file()]
    assert f"({name}.md)" in (ROOT / "docs/integrations/README.md").read_text()
    assert name in VARIABLES, "its programs are not run"


@pytest.mark.parametrize("name", sorted(adapters()))
def test_a_guide_names_every_method_and_variable(name: str) -> None:
    """Nothing that is governed is missing from the guide, and no variable that a client needs."""
    guide = (ROOT / f"docs/integrations/{name}.md").read_text()
    calls = [each for call in adapters()[name].calls for each in (call.variants or (call,))]
    methods = {re.sub("^Async", "", method) for call in calls for method in call.methods}

    assert [] == [method for method in methods if f"{method}`" not in guide]
    assert [] == [variable.name for variable in adapters()[name].env if f"`{variable.name}`" not in guide]


@pytest.mark.parametrize("name", sorted(adapters()))
def test_an_extra_installs_what_the_adapter_is_for(name: str) -> None:
    """`pip install 'genops-ai[name]'` brings the package, in the range that is supported."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    package = adapters()[name].package
    wanted = (package.install or package.name) + package.requires

    assert [wanted] == extras.get(name, [wanted])


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*-quickstart.md")), ids=lambda page: page.stem)
def test_a_quickstart_is_one_screen_of_code(page: Path) -> None:
    """At most 50 lines of Python."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)

    assert 1 == len(blocks)
    assert blocks[0].count("\n") <= 50


def test_examples_know_nothing_of_the_replay_server() -> None:
    """They are programs for a user with a key."""
    programs = (ROOT / "examples").glob("*/*.py")

    assert [] == [str(program) for program in programs if re.search("genops.testing|127.0.0.1", program.read_text())]
