"""Write, or check, every file of the project that is generated.

python tools/generate.py            writes what differs
python tools/generate.py --check    exits 1 and lists what differs
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import _registry
import _render_semconv as semconv

__all__ = ["ARTEFACTS", "differing", "main"]

ROOT = Path(__file__).resolve().parents[1]


def _configuration_reference() -> str:
    # It imports genops, which imports the constants: they must be written before it is loaded.
    from _configuration_reference import render_configuration_reference

    return render_configuration_reference()


def _policy_inputs() -> str:
    from _policy_inputs import render_policy_inputs  # it imports genops, too

    return render_policy_inputs()


def _backends_reference() -> str:
    from _backends_reference import render_backends_reference

    return render_backends_reference()


def _dashboard(module: str, name: str) -> Callable[[], str]:
    """A dashboard, rendered by `module`; it imports genops, too."""
    return lambda: str(getattr(importlib.import_module(module), f"render_{name}")())


def _same_bytes(name: str) -> Callable[[], str]:
    """A file of data that the Collector reads, too: Go embeds files of its own module only."""
    return lambda: (ROOT / "src/genops/data" / name).read_text(encoding="utf-8")


_SHARED_DATA = ("budget_scripts.json", "dialects.json", "prices.json", "redaction_rules.json", "usage_shapes.json")

# A generated file is one row here: where it is, relative to the root, and what gives its text.
ARTEFACTS: list[tuple[str, Callable[[], str]]] = [
    ("src/genops/semconv.py", lambda: semconv.render_constants(_registry.load())),
    ("src/genops/testing/_registry.py", lambda: semconv.render_checker_tables(_registry.load())),
    ("docs/reference/telemetry.md", lambda: semconv.render_reference(_registry.load())),
    ("docs/reference/configuration.md", _configuration_reference),
    ("docs/reference/backends.md", _backends_reference),
    ("deploy/dashboards/grafana/overview.json", _dashboard("_grafana", "overview")),
    ("deploy/dashboards/grafana/ledger.json", _dashboard("_grafana", "ledger")),
    ("deploy/dashboards/datadog/overview.json", _dashboard("_vendor_dashboards", "datadog")),
    ("deploy/dashboards/honeycomb/board.json", _dashboard("_vendor_dashboards", "honeycomb")),
    ("deploy/dashboards/newrelic/overview.json", _dashboard("_vendor_dashboards", "newrelic")),
    ("deploy/dashboards/dynatrace/overview.json", _dashboard("_vendor_dashboards", "dynatrace")),
    ("collector/internal/semconv/semconv.go", lambda: semconv.render_go_constants(_registry.load())),
    ("spec/policy/inputs.json", _policy_inputs),
    ("collector/internal/data/policy_inputs.json", _policy_inputs),
    *((f"collector/internal/data/{name}", _same_bytes(name)) for name in _SHARED_DATA),
]


def differing(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the generated files under `root` that are not as they should be, with the text they should have."""
    for name, render in ARTEFACTS:
        path, text = root / name, render()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main() -> int:
    """Run the command line; 1 if `--check` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to write to or to check")
    options = parser.parse_args()
    differ = False
    for path, text in differing(options.root):
        differ = True
        print(f"{'differs' if options.check else 'wrote'}: {path.relative_to(options.root)}")
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if options.check and differ:
        print("  fix: make generate")
    return 1 if options.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
