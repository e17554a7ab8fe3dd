"""Examples from templates: what a template imports from `workload` is cut out of an adapter's workload, by name.

A template is a program with four additions: `@NAME@`-like words, `from workload import ...`, and lines between `#if x`
and `#endif`, which stay if the workload has an `x`. ruff drops the imports that are not needed and lays the result out.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["WORKLOADS", "Workload", "render_program", "workloads"]

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ROOT / "tools/workloads"
_IMPORT = re.compile(r"^from workload import (.*)\n", re.M)
_OPTIONAL = re.compile(r"^#if (\w+)\n(.*?)^#endif\n", re.M | re.S)


@dataclass(frozen=True)
class Workload:
    """The parts of one adapter's examples: `tools/workloads/<name>.py`, and its prose beside it."""

    name: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> list[str]:
        """The import statements, as they are written."""
        return [self._text(node) for node in self.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

    @cached_property
    def parts(self) -> dict[str, ast.stmt]:
        """Every constant and function by name, in the order of the file."""
        found: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign):
                found[ast.unparse(node.targets[0])] = node
            elif isinstance(node, ast.AnnAssign):
                found[ast.unparse(node.target)] = node
        return found

    def value(self, name: str, default: str = "") -> str:
        """The text of a constant, unquoted."""
        node = self.parts.get(name)
        return str(ast.literal_eval(node.value)) if isinstance(node, ast.Assign) else default

    def expression(self, name: str) -> str:
        """The right side of an assignment, as it is written."""
        node = self.parts[name]
        assert isinstance(node, ast.Assign), f"{self.name}: {name} is not a plain assignment"
        return ast.unparse(node.value)

    @property
    def adapter(self) -> str:
        """The adapter that governs it: its namesake, or `ADAPTER`."""
        return self.value("ADAPTER", self.name)

    @property
    def client(self) -> str:
        """The type that `make_client` returns."""
        node = self.parts["make_client"]
        assert isinstance(node, ast.FunctionDef), f"{self.name}: make_client is not a function"
        assert node.returns is not None, f"{self.name}: make_client does not say what it returns"
        return ast.unparse(node.returns)

    def cut(self, names: set[str]) -> Iterator[tuple[bool, str]]:
        """The text of these parts and of those they use, in the order of the file; and whether each is a function."""
        wanted, used = set[str](), names & self.parts.keys()
        while used:
            wanted |= used
            found = {n.id for name in used for n in ast.walk(self.parts[name]) if isinstance(n, ast.Name)}
            used = (found & self.parts.keys()) - wanted
        for name, node in self.parts.items():
            if name in wanted:
                yield isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef), self._text(node)

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self.source.splitlines()[node.lineno - 1 : node.end_lineno])


def workloads() -> list[Workload]:
    """Every workload there is, by name."""
    return [Workload(path.stem, path.read_text(encoding="utf-8")) for path in sorted(WORKLOADS.glob("*.py"))]


def render_program(template: str, workload: Workload, *, head: str = "") -> str:
    """The template as a program of this adapter. Raises `CalledProcessError` if it is not Python."""
    text = _OPTIONAL.sub(lambda found: found[2] if found[1] in workload.parts else "", template)
    words = {
        "NAME": workload.adapter,
        "TITLE": workload.value("TITLE"),
        "CLIENT": workload.client,
        "MISSING": workload.value("MISSING", "no-such-model"),
        "FORMS": "whole, streamed and asynchronous" if "ask_async" in workload.parts else "whole and streamed",
    }
    text = re.sub(r"@([A-Z_]+)@", lambda found: words[found[1]], text)
    imported = _IMPORT.search(text)
    names = set(re.findall(r"\w+", imported[1])) if imported else set()
    text = _IMPORT.sub("", text)
    if "SETTINGS" not in workload.parts:
        text = text.replace(", **SETTINGS", "")
    text = re.sub(r"\bERROR\b", workload.expression("ERROR"), text)
    return _laid_out(head + _with_parts(text, workload, names - {"ERROR"}))


def _with_parts(text: str, workload: Workload, names: set[str]) -> str:
    """The program with the workload's imports and parts below its own imports."""
    last = max(node.end_lineno or 0 for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom))
    lines = text.splitlines()
    constants = [part for is_function, part in workload.cut(names) if not is_function]
    functions = [part for is_function, part in workload.cut(names) if is_function]
    own = "\n".join(lines[last:])
    rules, _, rest = own.partition("\n\n\n") if own.lstrip().startswith(("REQUESTS", "RULES")) else ("", "", own)
    stated = "\n\n".join(("\n".join(constants), rules.strip()))
    blocks = ["\n".join(lines[:last] + workload.imports), stated, *functions, rest]
    return "\n\n\n".join(block for block in blocks if block.strip())


def _laid_out(program: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    fix = [*ruff, "check", "--quiet", "--select", "I,F401", "--fix-only", "--stdin-filename", "examples/x/x.py", "-"]
    for command in (fix, [*ruff, "format", "--quiet", "--stdin-filename", "examples/x/x.py", "-"]):
        program = subprocess.run(command, input=program, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return program
