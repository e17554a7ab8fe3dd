"""Rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from genops import semconv

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/genops").rglob("*.py"))
NAMES = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)} - {
    "genops",
    "0.1.0",
}
ROOT_FILES = {
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "GOVERNANCE.md", "SECURITY.md", "LICENSE", "NOTICE"),
    *("Makefile", "pyproject.toml", "genops.example.yaml", "constraints.txt"),
}


def problems(path: Path, tree: ast.Module) -> Iterator[str]:
    """What is wrong with one module."""
    lines = path.read_text().splitlines()
    limit = 150 if path.parent.name == "providers" else 400
    if len(lines) > limit:
        yield f"{len(lines)} lines, over {limit}"
    if not ast.get_docstring(tree):
        yield "no docstring"
    empty = len(tree.body) <= 1
    if not empty and not any(
        isinstance(n, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(n) for n in tree.body
    ):
        yield "no __all__"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _oversized(path, node)
        if isinstance(node, ast.ExceptHandler) and path.name != "_guarding.py":
            caught = ast.unparse(node.type) if node.type else "bare"
            if caught in ("Exception", "bare"):
                yield f"except {caught}"
        yield from _misplaced(path, node)


def _oversized(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if (function.end_lineno or 0) - function.lineno >= 50:
        yield f"{function.name} is longer than 50 lines"
    if _nesting(function) > 3:
        yield f"{function.name} nests {_nesting(function)} levels deep"
    positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    if len(positional) - (positional[:1] in (["self"], ["cls"])) > 5 and path.parent.name != "commands":
        yield f"{function.name} takes more than 5 positional parameters"


BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def _nesting(node: ast.AST) -> int:
    """How many blocks the innermost statement of a function is in; `elif` is one with its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, _nesting(child) + (isinstance(child, BLOCKS) and not chained))
    return deepest


def _misplaced(path: Path, node: ast.AST) -> Iterator[str]:
    value = node.value if isinstance(node, ast.Constant) else None
    generated = path.name in ("semconv.py", "_registry.py")
    if isinstance(value, str) and value.startswith("genops.") and value in NAMES and not generated:
        yield f"attribute name written out: {value}"
    imports = isinstance(node, ast.Import | ast.ImportFrom) and "wrapt" in ast.unparse(node)
    if imports and path.parent.name != "_engine":
        yield "wrapt outside the engine"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_module_keeps_the_rules(path: Path) -> None:
    """Size, docstring, __all__, no swallowed exceptions, names only from the registry."""
    assert [] == list(problems(path, ast.parse(path.read_text())))


def test_go_files_keep_the_size() -> None:
    """As short as the modules of Python, but for what is generated and for tests."""
    files = [
        path for path in (ROOT / "collector").rglob("*.go") if "dist" not in path.parts and "_test" not in path.name
    ]
    long = [path.name for path in files if len(path.read_text().splitlines()) > 400]

    assert files
    assert [] == [name for name in long if name != "semconv.go" and not name.endswith(".pb.go")]


def test_rules_can_fail(tmp_path: Path) -> None:
    """A module that breaks them is reported."""
    bad = tmp_path / "bad.py"
    bad.write_text("import wrapt\nx = 'genops.team'\ntry:\n    pass\nexcept Exception:\n    pass\n")

    found = list(problems(bad, ast.parse(bad.read_text())))
    assert {"no docstring", "no __all__", "except Exception", "attribute name written out: genops.team"} < set(found)


def test_importing_genops_loads_no_vendor_and_no_otel_sdk() -> None:
    """`import genops` is cheap and touches nothing."""
    wanted = "m.split('.')[0] in ('openai', 'anthropic') or m.startswith('opentelemetry')"
    code = f"import genops, sys; print([m for m in sys.modules if {wanted}])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == result.stdout.strip()


def test_every_public_name_resolves() -> None:
    """What `__all__` promises is there."""
    import genops

    assert [] == [name for name in genops.__all__ if not hasattr(genops, name)]


def test_root_holds_only_what_a_stranger_expects() -> None:
    """No file in the root that one person needed once."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert set() == {name for name in tracked if "/" not in name and not name.startswith(".")} - ROOT_FILES


def test_nothing_built_is_tracked() -> None:
    """No program that a build left behind, and nothing too large to read in a review."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in tracked.split("\0") if name]

    assert [] == [str(path) for path in files if path.exists() and path.stat().st_size > 1_000_000]
