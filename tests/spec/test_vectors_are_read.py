"""Both runtimes read every vector: a file that a runtime passes over would let the two drift apart."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = sorted((ROOT / "spec/vectors").rglob("*.json"))


def _read_by(tests: list[Path], vector: Path) -> bool:
    return any(
        vector.name in text and f"vectors/{vector.parent.name}" in text.replace('"vectors" / "', "vectors/")
        for text in (test.read_text() for test in tests)
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_vector_is_read_by_python_and_go(vector: Path) -> None:
    """Some test of each runtime names the file."""
    python = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    python += [ROOT / "tools/build_price_vectors.py", ROOT / "tools/build_redaction_vectors.py"]

    assert _read_by(python, vector)
    assert _read_by(list((ROOT / "collector").rglob("*_test.go")), vector)
