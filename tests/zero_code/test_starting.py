"""Starting programs under governance: how it is switched on, that it is once, and what is said when it cannot be."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from .conftest import GENOPS_RUN, OPENTELEMETRY, Place

PROGRAM = "from asking import *\nask()\nsys.exit(7)\n"
OTEL_FILE = """
file_format: "1.0"
tracer_provider: {{processors: [{{simple: {{exporter: {{console: {{}}}}}}}}]}}
instrumentation/development:
  python:
    genops: {options}
"""
ABSENT = """
from dataclasses import replace
from genops.providers.openai import OPENAI
ABSENT = replace(OPENAI, name="absent", package=replace(OPENAI.package, name="absent-sdk", requires=">=1,<2"))
"""
BOTH_WAYS = [
    pytest.param(GENOPS_RUN, id="genops-run"),
    pytest.param(OPENTELEMETRY, id="opentelemetry-instrument"),
    pytest.param((*GENOPS_RUN, *OPENTELEMETRY), id="genops-run-around"),
    pytest.param((*OPENTELEMETRY, *GENOPS_RUN), id="genops-run-inside"),
]


def install_adapter(place: Place, module: str) -> None:
    """A package of others with an adapter called `absent`."""
    place.write("genops_absent.py", module)
    folder = place.folder / "genops_absent-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: genops-absent\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[genops.adapters]\nabsent = genops_absent:ABSENT\n")


@pytest.mark.parametrize("launcher", BOTH_WAYS)
def test_program_is_governed_once_however_it_is_started(place: Place, launcher: tuple[str, ...]) -> None:
    """One call, one entry, and the program's own exit status; nothing is said."""
    result = place.run(*launcher, sys.executable, place.write("app.py", PROGRAM))

    assert (7, "") == (result.returncode, result.stderr)
    assert ["search"] == [entry.team for entry in place.entries]


@pytest.mark.parametrize("launcher", BOTH_WAYS[:2])
def test_settings_of_the_program_replace_those_it_was_started_with(place: Place, launcher: tuple[str, ...]) -> None:
    """`auto_instrument()` in the code of a program that is governed already is no second layer."""
    app = place.write("app.py", "import genops\ngenops.auto_instrument(feature='own')\n" + PROGRAM)
    result = place.run(*launcher, sys.executable, app)

    assert 7 == result.returncode, result.stderr
    assert ["own"] == [entry.feature for entry in place.entries]


def test_otel_config_file_gives_the_settings(place: Place) -> None:
    """Options of the instrumentation are those of genops.yaml, and its span goes where the same file says."""
    options = "{team: ads, feature: banners, budgets: [{name: cap, limit: 0.5, window: day}]}"
    path = place.write("otel.yaml", OTEL_FILE.format(options=options))
    app = place.write("app.py", "import genops\n" + PROGRAM)
    result = place.run(*OPENTELEMETRY, sys.executable, app, OTEL_CONFIG_FILE=str(path), GENOPS_TEAM="")

    assert 7 == result.returncode, result.stderr
    (entry,) = place.entries
    assert ("ads", "banners") == (entry.team, entry.feature)
    assert "cap" == entry.budget_name
    assert 1 == result.stdout.count('"genops.call.id"')


def test_unknown_option_is_named_with_the_nearest_one(place: Place) -> None:
    """A typo in OTEL_CONFIG_FILE is said once, where it is, and the program runs."""
    path = place.write("otel.yaml", OTEL_FILE.format(options="{teem: ads}"))
    result = place.run(*OPENTELEMETRY, sys.executable, place.write("app.py", PROGRAM), OTEL_CONFIG_FILE=str(path))

    assert 7 == result.returncode
    assert 1 == result.stderr.count("Did you mean 'team'?")
    assert "genops: OTEL_CONFIG_FILE, instrumentation/development: python: genops" in result.stderr
    assert ("Traceback" in result.stderr, []) == (False, place.entries)


@pytest.mark.parametrize("switch", ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=flask, genops", "GENOPS_ENABLED=off"])
def test_switched_off_is_off(place: Place, switch: str) -> None:
    """OpenTelemetry's own switch is heeded, though it runs the hooks of what it leaves out."""
    name, _, value = switch.partition("=")
    result = place.run(*OPENTELEMETRY, sys.executable, place.write("app.py", PROGRAM), **{name: value})

    assert (7, "", []) == (result.returncode, result.stderr, place.entries)


def test_switched_off_in_the_file_is_off(place: Place) -> None:
    """`enabled: false` of OTEL_CONFIG_FILE, which OpenTelemetry forgets when it goes through what is installed."""
    path = place.write("otel.yaml", OTEL_FILE.format(options="{enabled: false, team: ads}"))
    result = place.run(*OPENTELEMETRY, sys.executable, place.write("app.py", PROGRAM), OTEL_CONFIG_FILE=str(path))

    assert (7, []) == (result.returncode, place.entries)


def test_settings_file_of_the_guide_is_good(place: Place) -> None:
    """The OTEL_CONFIG_FILE that docs/guides/zero-code.md shows."""
    guide = (Path(__file__).parents[2] / "docs/guides/zero-code.md").read_text()
    shown = guide.partition("```yaml\n# otel.yaml\n")[2].partition("```")[0]
    path = place.write("otel.yaml", shown)
    result = place.run(*OPENTELEMETRY, sys.executable, place.write("app.py", PROGRAM), OTEL_CONFIG_FILE=str(path))

    assert 7 == result.returncode, result.stderr
    assert ["answer-ticket"] == [entry.feature for entry in place.entries]
    assert "genops" not in result.stderr


@pytest.mark.parametrize("launcher", BOTH_WAYS[:2])
def test_broken_settings_leave_the_program_alone(place: Place, launcher: tuple[str, ...]) -> None:
    """File, line and fix are said once; the program runs as if GenOps were not there."""
    place.write("genops.yaml", "budgets:\n  - {name: b, limit: 1, window: fortnight}\n")
    result = place.run(*launcher, sys.executable, place.write("app.py", PROGRAM))

    assert 7 == result.returncode
    assert result.stderr.startswith("genops: genops.yaml:2: ")
    assert result.stderr.endswith("genops: nothing is governed\n")
    assert (1, []) == (result.stderr.count("fix:"), place.entries)


@pytest.mark.parametrize("launcher", BOTH_WAYS[:2])
def test_program_that_must_be_governed_is_not_started(place: Place, launcher: tuple[str, ...]) -> None:
    """GENOPS_REQUIRED=on: no program rather than one that nobody governs."""
    place.write("genops.yaml", "budgets: [\n")
    app = place.write("app.py", PROGRAM)
    result = place.run(*launcher, sys.executable, app, GENOPS_REQUIRED="on")

    assert (2, 0) == (result.returncode, len(place.server.requests))
    assert "genops: the program is not started (GENOPS_REQUIRED=on)" in result.stderr
    assert "Traceback" not in result.stderr


def test_package_that_is_missing_is_named_and_the_others_are_governed(place: Place) -> None:
    """An adapter asked for by name whose SDK is not here does not cost the others."""
    place.write("genops.yaml", "adapters: {enabled: [absent, openai]}\n")
    install_adapter(place, ABSENT)
    result = place.run(*GENOPS_RUN, sys.executable, place.write("app.py", PROGRAM))

    assert (7, 1) == (result.returncode, len(place.entries)), result.stderr
    assert "pip install 'absent-sdk>=1,<2'" in result.stderr
    assert "genops: governed are only: openai" in result.stderr


@pytest.mark.parametrize(
    ("module", "said"),
    [
        pytest.param("raise ZeroDivisionError('of others')", "", id="adapter-that-cannot-be-loaded"),
        pytest.param(ABSENT.replace("package=", "package=None, title="), "AttributeError inside genops: ", id="ours"),
    ],
)
def test_fault_while_starting_goes_no_further(place: Place, module: str, said: str) -> None:
    """Not only wrong settings: whatever is raised while governance is switched on stays here."""
    install_adapter(place, module)
    result = place.run(*OPENTELEMETRY, sys.executable, place.write("app.py", PROGRAM))

    assert (7, 1) == (result.returncode, len(place.entries)), result.stderr
    assert result.stderr.startswith(f"genops: {said}") if said else result.stderr == ""
    assert "Traceback" not in result.stderr


def test_python_without_genops_is_told_so(place: Place) -> None:
    """`genops run` of another interpreter's program: which one lacks what."""
    place.run(sys.executable, "-m", "venv", "--without-pip", place.folder / "bare")
    bare = place.folder / "bare/bin/python"
    result = place.run(*GENOPS_RUN, bare, "-c", "print('runs')")

    assert (0, "runs\n") == (result.returncode, result.stdout)
    assert f"fix: {bare} -m pip install genops-ai" in result.stderr
    assert "genops: nothing is governed" in result.stderr
    assert 2 == place.run(*GENOPS_RUN, bare, "-c", "print('runs')", GENOPS_REQUIRED="on").returncode


def test_sitecustomize_of_others_runs_first_and_may_fail(place: Place) -> None:
    """The one that ours hides is run; its failure is its own."""
    place.write("sitecustomize.py", "import sys\nsys.hidden = True\nraise RuntimeError('theirs')")
    app = place.write("app.py", "import sys\nassert sys.hidden\n" + PROGRAM)
    result = place.run(*GENOPS_RUN, sys.executable, app)

    assert (7, 1) == (result.returncode, len(place.entries)), result.stderr
    assert "theirs" in result.stderr


def test_budgets_given_as_arguments_are_in_force() -> None:
    """`configure(budgets=...)` is not merely read; genops.yaml goes before it, key by key."""
    from genops.config.settings import load

    budget = {"name": "cap", "limit": Decimal("0.5"), "window": "day"}
    found = load({"budgets": [budget]}, environ={"GENOPS_LEDGER_DIR": "/nowhere"}).budgets.budgets

    assert [("cap", Decimal("0.5"))] == [(each.name, each.limit) for each in found]
