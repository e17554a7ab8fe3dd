"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _genops(*arguments: str, cwd: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    code = "from genops.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **more
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    ledger = tmp_path_factory.mktemp("demo") / "ledger"
    result = _genops("demo", "--ledger", str(ledger))
    assert 0 == result.returncode, result.stdout + result.stderr
    return ledger, result.stdout


def test_demo_shows_costs_refusals_and_agreement(demo: tuple[Path, str]) -> None:
    """The main job: cost by team, what was refused, one call as telemetry."""
    _, shown = demo

    assert "Cost by team" in shown
    assert "growth-uses-small-models" in shown
    assert "Ledger and telemetry: agrees" in shown
    assert "genops serve --ledger" in shown


def test_costs_by_team_and_by_model_have_the_same_exact_sum(demo: tuple[Path, str]) -> None:
    """Grouping changes no total."""
    ledger, _ = demo
    sums = []
    for column in ("team", "model", "customer_id"):
        result = _genops("costs", "--ledger", str(ledger), "--by", column, "--format", "json")
        sums.append(sum(Decimal(row["cost"]) for row in json.loads(result.stdout)["rows"]))

    assert 1 == len(set(sums))
    assert sums[0] > 0


def test_unknown_column_is_answered_with_the_nearest_one(demo: tuple[Path, str]) -> None:
    """A typo costs one line, not a traceback."""
    ledger, _ = demo
    result = _genops("costs", "--ledger", str(ledger), "--by", "teem")

    assert 2 == result.returncode
    assert "Did you mean 'team'?" in result.stderr


def test_missing_ledger_says_what_to_do(tmp_path: Path) -> None:
    """No ledger is no traceback."""
    result = _genops("costs", "--ledger", str(tmp_path / "none"))

    assert (2, True) == (result.returncode, "genops demo" in result.stderr)


def test_golden_cases_check_out() -> None:
    """`genops prices check` exits 0 on the golden file."""
    result = _genops("prices", "check", str(ROOT / "spec/vectors/cost/golden.json"))

    assert (0, True) == (result.returncode, "52 of 52 cases agree" in result.stdout)


def test_failing_case_is_printed_with_both_sides(tmp_path: Path) -> None:
    """A wrong expectation is shown beside what was computed; exit 1."""
    document = json.loads((ROOT / "spec/vectors/cost/golden.json").read_text())
    document["cases"] = [document["cases"][0] | {"expected_cost_usd": "1"}]
    (tmp_path / "cases.json").write_text(json.dumps(document))
    result = _genops("prices", "check", str(tmp_path / "cases.json"))

    assert 1 == result.returncode
    assert "openai-chat-plain: expected 1" in result.stdout


def test_explain_prints_the_lines(tmp_path: Path) -> None:
    """One raw response, line by line."""
    answer = {"model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}
    result = _genops(
        *("prices", "explain", "-", "--provider", "openai", "--api", "chat_completions"),
        cwd=tmp_path,
        input=json.dumps(answer),
    )

    assert 0 == result.returncode, result.stderr
    assert "0.0035" in result.stdout


def test_bad_settings_name_file_and_line(tmp_path: Path) -> None:
    """A typo in genops.yaml is found by `validate`."""
    (tmp_path / "genops.yaml").write_text("polices: []\n")
    result = _genops("validate", cwd=tmp_path)

    assert 1 == result.returncode
    assert "Did you mean 'policies'?" in result.stdout


def test_run_governs_a_program_without_touching_it(tmp_path: Path) -> None:
    """The child finds itself instrumented, and its exit status passes through."""
    program = "import genops, sys; sys.exit(7 if 'openai' in genops.status().instrumented else 1)"
    result = _genops("run", "--", sys.executable, "-c", program, cwd=tmp_path)

    assert 7 == result.returncode, result.stderr


def test_adapters_says_what_is_installed_patched_and_missing() -> None:
    """Each adapter with its package; those that are here have all their methods patched."""
    result = _genops("adapters", "--json")
    rows = {row["adapter"]: row for row in json.loads(result.stdout)}

    assert "patched" == rows["openai"]["state"]
    assert [] == rows["openai"]["missing"]
    assert "openai.resources.embeddings:Embeddings.create" in rows["openai"]["patched"]
    assert {"not installed", "patched"} >= {row["state"] for row in rows.values()}
    assert 0 == _genops("adapters", "--installed").returncode
